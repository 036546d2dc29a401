import { describe, expect, test } from "vitest";
import { Backoff } from "../packages/oriel-desktop/src/backoff.js";
import { followFeed } from "../src/api/feed.js";
import { SseParser, type ServerEvent } from "../src/api/sse.js";

describe("SseParser", () => {
  const stream = 'id: 1\nevent: step\ndata: {"a":1}\n\n: comment\n\nid: 2\r\ndata: one\r\ndata: two\r\n\r\nretry: 700\rdata:x\r\r';

  test("push_AnyCut_GivesTheSameEvents", () => {
    const whole = new SseParser().push(stream + "\n");
    for (let cut = 0; cut <= stream.length; cut++) {
      const parser = new SseParser();
      expect([...parser.push(stream.slice(0, cut)), ...parser.push(stream.slice(cut) + "\n")]).toEqual(whole);
      expect(parser.retryMs).toBe(700);
    }
    expect(whole).toEqual([
      { type: "step", data: '{"a":1}', id: "1" },
      { type: "message", data: "one\ntwo", id: "2" },
      { type: "message", data: "x", id: "2" },
    ]);
  });

  test("push_UnfinishedEvent_GivesNothing", () => {
    expect(new SseParser().push("data: half\n")).toEqual([]);
  });
});

describe("followFeed", () => {
  const respond = (text: string, status = 200) =>
    new Response(text, { status, headers: { "Content-Type": status === 200 ? "text/event-stream" : "application/problem+json" } });

  test("followFeed_StreamBreaks_GoesOnAfterTheLastEvent", async () => {
    const asked: Array<string | null> = [];
    const answers = [
      "id: 4\nevent: log\ndata: 1\n\nid: 5\nevent: log\ndata: 2\n\nid: 6\nevent: lo",
      "id: 6\nevent: log\ndata: 3\n\nid: 7\nevent: end\ndata: {}\n\n",
    ];
    const seen: ServerEvent[] = [];
    const online: boolean[] = [];
    await followFeed("/events", { event: (event) => seen.push(event), online: (on) => online.push(on) }, new AbortController().signal, {
      backoff: new Backoff(1, 1),
      fetch: (_url, init) => {
        asked.push(new Headers(init?.headers).get("Last-Event-ID"));
        const next = answers.shift();
        return next === undefined ? Promise.reject(new TypeError("down")) : Promise.resolve(respond(next));
      },
    });
    expect(asked).toEqual([null, "5"]);
    expect(seen.map(({ data }) => data)).toEqual(["1", "2", "3", "{}"]);
    expect(online).toEqual([true, false, true]);
  });

  test("followFeed_ServerAwayThenBack_ComesBack", async () => {
    let calls = 0;
    const reasons: Array<string | null> = [];
    await followFeed(
      "/events",
      { event: () => undefined, online: (_on, error) => reasons.push(error?.reason ?? null) },
      new AbortController().signal,
      {
        backoff: new Backoff(1, 1),
        fetch: () => (++calls < 3 ? Promise.reject(new TypeError("down")) : Promise.resolve(respond("event: end\ndata: {}\n\n"))),
      },
    );
    expect(reasons).toEqual(["server-unreachable", "server-unreachable", null]);
  });

  test("followFeed_SignedOut_EndsWithTheReason", async () => {
    const reasons: Array<string | null> = [];
    await followFeed(
      "/events",
      { event: () => undefined, online: (_on, error) => reasons.push(error?.reason ?? null) },
      new AbortController().signal,
      { fetch: () => Promise.resolve(respond('{"reason":"signed-out","title":"Sign in"}', 401)) },
    );
    expect(reasons).toEqual(["signed-out"]);
  });

  test("followFeed_Aborted_Ends", async () => {
    const abort = new AbortController();
    const feed = followFeed("/events", { event: () => undefined, online: () => abort.abort() }, abort.signal, {
      fetch: () => Promise.reject(new TypeError("down")),
    });
    await expect(feed).resolves.toBeUndefined();
  });
});
