// The service worker of the console: a click on a notification brings its tab to the front. It caches nothing.
self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(self.clients.matchAll({ type: 'window', includeUncontrolled: true }).then((tabs) => {
    const tab = tabs.find((c) => c.url.includes('/console/agent'));
    return tab ? tab.focus() : self.clients.openWindow('/console/agent');
  }));
});
