import { describe, expect, test } from "vitest";
import { Backoff, ServerError } from "@oriel/desktop/internal";
import { ProcessLink } from "../src/api/process-link.js";

/** The other end of each socket that a link opened. */
class PlayedSocket extends EventTarget {
  readyState = 1;
  binaryType = "";
  readonly sent: (string | Uint8Array)[] = [];
  constructor(
    readonly url: URL,
    readonly protocols: string[],
  ) {
    super();
  }
  send(message: string | Uint8Array): void {
    this.sent.push(message);
  }
  close(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }
  say(data: string | ArrayBuffer): void {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }
  put(kind: number, text: string): void {
    this.say(new Uint8Array([kind, ...new TextEncoder().encode(text)]).buffer);
  }
}

function play(look: () => Promise<unknown> = () => Promise.resolve()) {
  (globalThis as { document?: unknown }).document ??= { baseURI: "http://127.0.0.1:4000/desktops/d-1" };
  const sockets: PlayedSocket[] = [];
  const seen: string[] = [];
  const abort = new AbortController();
  let opened: (() => void) | null = null;
  const link = new ProcessLink(
    "d-1",
    "p1",
    {
      output: (bytes) => seen.push(new TextDecoder().decode(bytes)),
      gap: (bytes) => seen.push(`gap ${bytes}`),
      online: (online) => seen.push(online ? "online" : "offline"),
    },
    {
      open: (url, protocols) => {
        const socket = new PlayedSocket(new URL(url), protocols);
        sockets.push(socket);
        queueMicrotask(() => opened?.());
        return socket as unknown as WebSocket;
      },
      look,
      backoff: new Backoff(1, 1),
    },
  );
  const next = () => new Promise<PlayedSocket>((resolve) => (opened = () => resolve(sockets.at(-1)!)));
  return { link, seen, abort, next, sockets };
}

describe("ProcessLink", () => {
  test("run_SocketBreaks_AttachesAtTheByteNotSeenAndTellsWhatIsLost", async () => {
    const { link, seen, abort, next } = play();
    const first = next();
    const run = link.run(abort.signal);
    const socket = await first;
    expect(socket.url.href).toBe("ws://127.0.0.1:4000/api/desktops/d-1/processes/p1/socket?from=0");
    expect(socket.protocols[0]).toBe("oriel.process.v1");
    socket.dispatchEvent(new Event("open"));
    socket.put(1, "out");
    socket.put(2, "err");
    const second = next();
    socket.close();
    const again = await second;
    expect(again.url.search).toBe("?from=6");
    again.dispatchEvent(new Event("open"));
    again.say('{"from":10}');
    again.put(1, "more");
    again.say('{"exit":{"exitCode":3,"timedOut":false}}');
    again.close();

    expect(await run).toBe(3);
    expect(seen).toEqual(["online", "out", "err", "offline", "online", "gap 4", "more"]);
  });

  test("write_NotAttached_IsDropped", async () => {
    const { link, abort, next } = play();
    const first = next();
    const run = link.run(abort.signal);
    const socket = await first;
    link.write(new Uint8Array([97]));
    link.resize(100, 30);
    socket.readyState = 0;
    link.write(new Uint8Array([98]));
    expect(socket.sent).toEqual([new Uint8Array([0, 97]), '{"window":{"columns":100,"rows":30}}']);
    abort.abort(new Error("closed"));
    await expect(run).rejects.toThrow("closed");
  });

  test("run_NoSuchProcess_EndsAndAServerThatIsAwayDoesNot", async () => {
    let away = true;
    const { link, abort, next } = play(() =>
      Promise.reject(away ? new ServerError(0, "server-unreachable", "away") : new ServerError(404, "no-such-process", "gone")),
    );
    const first = next();
    const run = link.run(abort.signal);
    const socket = await first;
    const second = next();
    socket.close();
    const again = await second;
    away = false;
    again.close();
    await expect(run).rejects.toThrow("gone");
  });
});
