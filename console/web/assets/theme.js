// Light, dark, or as the system has it.

const KEY = 'callrouter-theme';
const ORDER = ['', 'light', 'dark'];

export function applyTheme() {
  document.documentElement.dataset.theme = localStorage.getItem(KEY) || '';
}

export function nextTheme() {
  const at = ORDER.indexOf(localStorage.getItem(KEY) || '');
  localStorage.setItem(KEY, ORDER[(at + 1) % ORDER.length]);
  applyTheme();
}
