// The first page of the console: it sends those who are signed in on to their page.

import { api } from './api.js';
import { choose, other, remember, t } from './i18n.js';
import { bindSignIn } from './signin-form.js';
import { applyTheme } from './theme.js';

const onward = () => location.replace('/console/agent');
const button = document.getElementById('lang-switch');

function language() {
  for (const el of document.querySelectorAll('[data-t]')) el.textContent = t(el.dataset.t);
  for (const el of document.querySelectorAll('[data-t-label]')) el.setAttribute('aria-label', t(el.dataset.tLabel));
  button.textContent = other() === 'pt' ? 'Português' : 'English';
}

button.onclick = () => { remember(other()); language(); };
choose();
applyTheme();
language();
bindSignIn(onward);
api('GET', '/session?role=agent').then(onward, () => {});
