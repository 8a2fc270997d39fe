// Runs before the first paint, so that a theme chosen by hand does not flash in late. A classic
// script, because modules wait for the page; parts/shell.js keeps the choice under the same name.
try {
  document.documentElement.dataset.theme = localStorage.getItem('plantroom.theme') ?? 'auto';
} catch {
  // storage switched off: the system's theme
}
