// Texts, numbers and times in the language of the agent.
import pt from './pt.js';
import en from './en.js';

const texts = { pt, en };
const KEY = 'callrouter-language';
let language = 'pt';
let zone; // of the rules file

// choose picks the language: what was chosen here before, then the rules file's, then the browser's.
export function choose(ofRules) {
  const wanted = [localStorage.getItem(KEY), ofRules, ...navigator.languages.map((l) => l.slice(0, 2)), 'pt'];
  language = wanted.find((l) => l in texts);
  document.documentElement.lang = language === 'pt' ? 'pt-BR' : 'en';
}

export function remember(l) {
  localStorage.setItem(KEY, l);
  choose();
}

export const current = () => language;
export const other = () => (language === 'pt' ? 'en' : 'pt');
export function setZone(z) { zone = z; }

// t returns the text of a key, with what stands in braces filled in.
export function t(key, fill = {}) {
  return texts[language][key].replace(/\{(\w+)\}/g, (_, name) => String(fill[name] ?? ''));
}

// phone writes a number in normal form as people of its country do.
export function phone(number) {
  const br = /^\+55(\d\d)(\d{4,5})(\d{4})$/.exec(number);
  return br ? `+55 ${br[1]} ${br[2]}-${br[3]}` : number || t('withheld');
}

// caller is how to call a caller.
export const caller = (c) => c.name || phone(c.from);

// clock writes a length of time as m:ss.
export function clock(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const pad = (n) => String(n).padStart(2, '0');
  return s < 3600 ? `${Math.floor(s / 60)}:${pad(s % 60)}` : `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`;
}

const locale = () => document.documentElement.lang;

export function timeOfDay(at) {
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', timeZone: zone }).format(new Date(at));
}

// day writes a date as "today 14:05" or "21/11 14:05".
export function day(at) {
  const date = (d) => new Intl.DateTimeFormat('sv', { timeZone: zone }).format(d);
  const days = Math.round((Date.parse(date(new Date(at))) - Date.parse(date(new Date()))) / 86400e3);
  const when = days > -2
    ? new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }).format(days, 'day')
    : new Intl.DateTimeFormat(locale(), { day: '2-digit', month: '2-digit', timeZone: zone }).format(new Date(at));
  return `${when} ${timeOfDay(at)}`;
}
