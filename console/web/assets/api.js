// Requests to the router. The session is a cookie that no script reads.

export class Refusal extends Error {
  constructor(status, body) {
    super(body.message || `HTTP ${status}`);
    Object.assign(this, { status, code: body.error || 'unreachable', by: body.by });
  }
}

// api sends a request and returns the reply, or throws a Refusal. Without a connection its status is 0.
export async function api(method, path, body, options = {}) {
  let response;
  try {
    response = await fetch('/api/v1' + path, {
      method,
      credentials: 'same-origin',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      ...options,
    });
  } catch (e) {
    throw new Refusal(0, { message: e.message });
  }
  const json = (response.headers.get('Content-Type') || '').startsWith('application/json');
  const reply = json ? await response.json() : {};
  if (!response.ok) throw new Refusal(response.status, reply);
  return reply;
}

// last sends a request that outlives the page.
export function last(method, path, body) {
  api(method, path, body, { keepalive: true }).catch(() => {});
}

const id = encodeURIComponent;
export const offerPath = (offer, action) => `/offers/${id(offer)}/${action}`;
export const callPath = (call, action) => `/calls/${id(call)}/${action}`;
export const myCallPath = (call, action) => `/me/calls/${id(call)}/${action}`;
