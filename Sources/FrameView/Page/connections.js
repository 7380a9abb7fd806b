// Who may have a connection for a live picture. Browsers open at most six to a server, for all of their tabs together:
// four are for live pictures, so that events, snapshots and stills always find one.

export const liveConnections = {
  names: ["live-0", "live-1", "live-2", "live-3"],
  taken: new Set(),

  /** Takes one: a function that gives it back, or undefined when there is none. */
  async take() {
    for (const name of this.names) {
      if (this.taken.has(name)) continue;
      this.taken.add(name);
      const unlock = await this.lock(name);
      if (unlock) {
        return () => {
          unlock();
          this.taken.delete(name);
        };
      }
      this.taken.delete(name);
    }
    return undefined;
  },

  /** Keeps the other tabs off it, where the browser has locks: on this machine, or by HTTPS. */
  lock(name) {
    if (!navigator.locks) return Promise.resolve(() => {});
    return new Promise((resolve) => {
      navigator.locks.request(`frameshare-${name}`, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(undefined);
        return new Promise((release) => resolve(release));
      });
    });
  },
};
