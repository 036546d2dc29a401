import { expect, test } from "vitest";
import { deferredEvents } from "../packages/oriel-desktop/src/deferred-events.js";
import type { LinkEvents } from "../packages/oriel-desktop/src/link.js";

test("deferredEvents_UntilReleased_KeepsMessagesInOrder", () => {
  const seen: unknown[] = [];
  const shown: LinkEvents = { control: (event) => seen.push(event), interrupted: (on) => seen.push(on), frame: () => seen.push("frame") };
  const { events, release } = deferredEvents(shown);
  const frame = { rtp: null, width: 1, height: 1, receivedAt: null, decodeMs: 0, displayAt: 0 };

  events.control({ t: "pong", id: 1 });
  events.interrupted(true);
  events.frame(frame);
  events.control({ t: "pong", id: 2 });
  expect(seen).toEqual([]);

  release();
  expect(seen).toEqual([
    { t: "pong", id: 1 },
    { t: "pong", id: 2 },
  ]);

  events.interrupted(false);
  events.frame(frame);
  events.control({ t: "pong", id: 3 });
  expect(seen.slice(2)).toEqual([false, "frame", { t: "pong", id: 3 }]);
});
