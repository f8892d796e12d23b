// What the agent writes about a call: saved while typing stops, and on leaving the field.

import { api, myCallPath } from './api.js';
import { setText } from './dom.js';
import { t } from './i18n.js';
import { model, screen } from './model.js';

const $ = (id) => document.getElementById(id);
let about = ''; // id of the call
let timer;

// renderNotes empties the fields for the next call.
export function renderNotes() {
  const at = screen();
  const id = at === 'in-call' ? model.call.id : at === 'wrap-up' ? model.wrapUp.call : '';
  if (!id || id === about) return;
  save();
  about = id;
  const known = model.history.find((c) => c.id === id);
  $('note').value = known?.note || '';
  $('disposition').value = known?.disposition || '';
  $('note').dirty = false;
  setText($('note-saved'), '');
}

async function save() {
  clearTimeout(timer);
  if (!about || !$('note').dirty) return;
  $('note').dirty = false;
  const id = about;
  try {
    await api('PUT', myCallPath(id, 'note'), { note: $('note').value, disposition: $('disposition').value }, { keepalive: true });
    if (id === about) setText($('note-saved'), t('noteSaved'));
  } catch {
    $('note').dirty = true;
    setText($('note-saved'), t('noteFailed'));
  }
}

export function bindNotes() {
  for (const el of [$('note'), $('disposition')]) {
    el.oninput = () => {
      $('note').dirty = true;
      setText($('note-saved'), '');
      clearTimeout(timer);
      timer = setTimeout(save, 1000);
    };
    el.onblur = save;
  }
  addEventListener('pagehide', save);
}
