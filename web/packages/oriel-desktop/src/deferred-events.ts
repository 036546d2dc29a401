import type { LinkEvents } from "./link.js";
import type { ControlEvent } from "./messages.js";

/**
 * For a link that comes up behind the one in use: its server's messages wait for `release`. Its frames and interruptions are dropped
 * until then, since the picture is still the other link's.
 */
export function deferredEvents(events: LinkEvents): { events: LinkEvents; release(): void } {
  let waiting: ControlEvent[] | null = [];
  return {
    events: {
      control: (event) => (waiting ? void waiting.push(event) : events.control(event)),
      interrupted: (on) => (waiting ? undefined : events.interrupted(on)),
      frame: (frame) => (waiting ? undefined : events.frame(frame)),
    },
    release() {
      const deferred = waiting ?? [];
      waiting = null;
      for (const event of deferred) events.control(event);
    },
  };
}
