// Types come from the package itself, which only the type check needs (tests/browser).
export { default } from 'uplot';
