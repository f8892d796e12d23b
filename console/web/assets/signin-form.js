// The form that signs in with a token, here by fetch: the page allows no form to be sent.

import { api } from './api.js';
import { t } from './i18n.js';

const $ = (id) => document.getElementById(id);

export function signInError(e, unauthorized = 'signinWrong') {
  const key = { 401: unauthorized, 429: 'signinMany', 503: 'storeDown' }[e.status];
  $('signin-error').textContent = key ? t(key) : t('failed', { message: e.message });
}

// bindSignIn calls back once an agent is signed in.
export function bindSignIn(then) {
  $('signin').addEventListener('submit', async (event) => {
    event.preventDefault();
    $('signin-error').textContent = '';
    try {
      const session = await api('POST', '/session', { token: $('token').value.trim() });
      $('token').value = '';
      if (session.role === 'admin') {
        await api('DELETE', '/session?role=admin');
        $('signin-error').textContent = t('signinAdmin');
        return;
      }
      then();
    } catch (e) {
      signInError(e);
    }
  });
}
