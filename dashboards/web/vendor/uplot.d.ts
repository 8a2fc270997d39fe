// Types come from the packages themselves, which only the type check needs (tests/browser).
export { default } from 'uplot';
