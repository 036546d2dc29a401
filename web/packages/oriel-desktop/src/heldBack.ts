import type { LinkEvents } from "./link.js";
import type { ControlEvent } from "./messages.js";

/** For a link that comes up behind the one in use: what its server tells waits for `release`, its frames and interruptions pass unheard until then. */
export function heldBack(events: LinkEvents): { events: LinkEvents; release(): void } {
  let waiting: ControlEvent[] | null = [];
  return {
    events: {
      control: (event) => (waiting ? void waiting.push(event) : events.control(event)),
      interrupted: (on) => (waiting ? undefined : events.interrupted(on)),
      frame: (frame) => (waiting ? undefined : events.frame(frame)),
    },
    release() {
      const told = waiting ?? [];
      waiting = null;
      for (const event of told) events.control(event);
    },
  };
}
