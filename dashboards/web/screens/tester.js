// The tester: what an expression or a mapping would give on what the plant says now, before it is
// written into the configuration. It reads, and changes nothing.

import { h, html } from '../lib/ui.js';
import { t } from '../lib/i18n.js';
import { place } from '../lib/nav.js';
import { TryExpression } from '../parts/try-expression.js';
import { TryMapping } from '../parts/try-mapping.js';

/** The screen. */
export function Tester() {
  const mapping = place.value.query.get('what') === 'mapping';
  return html`
    <div class="screen-head"><h1>${t('tester.title')}</h1>
      <div class="choices" role="group" aria-label=${t('tester.what')}>
        <a class="choice" href="/tester" aria-current=${mapping ? undefined : 'true'}>${t('tester.expression')}</a>
        <a class="choice" href="/tester?what=mapping" aria-current=${mapping ? 'true' : undefined}>${t('tester.mapping')}</a>
      </div></div>
    <p class="notice">${t('tester.changes-nothing')}</p>
    ${mapping ? h(TryMapping, {}) : h(TryExpression, {})}
  `;
}
