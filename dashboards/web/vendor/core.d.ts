// Types come from the packages themselves, which only the type check needs (tests/browser).
export { h, render } from 'preact';
export { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
export { batch, computed, effect, signal } from '@preact/signals';
export { default as htm } from 'htm';
export type { ComponentChildren } from 'preact';
export type { Signal } from '@preact/signals';
