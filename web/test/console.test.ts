import { describe, expect, test } from "vitest";
import { isNewer, oldImage, type Step } from "../src/api/types.js";
import { parseRoute } from "../src/route.js";
import { returnPath, tokenFrom } from "../src/signin/token.js";
import { bytes, duration, elapsed } from "../src/ui/format.js";
import { loadPreferences } from "../src/ui/preferences.js";
import { explain } from "../src/ui/reasons.js";
import { base64, FieldError, requestOf, type NewDesktopForm } from "../src/ui/request.js";
import { formatRules, parseRules } from "../src/ui/rules.js";
import { sessionFacts, sessionTitle } from "../src/ui/session-words.js";
import { phasesOf, progressOf, runningStep, stepTitle, withStep } from "../src/ui/steps.js";

const empty: NewDesktopForm = {
  name: "",
  width: "",
  height: "",
  startUrl: "",
  env: "",
  mode: "internet",
  allow: "",
  deny: "",
  upstream: "",
  ttlMinutes: "",
  idleMinutes: "",
  hostname: "",
  timeZone: "",
  keyboardLayout: "",
  trust: "",
};

describe("requestOf", () => {
  test("requestOf_EmptyForm_AsksForTheDefaults", () => expect(requestOf(empty, [])).toEqual({}));

  test("requestOf_FullForm_IsTheWholeRequest", () => {
    const form: NewDesktopForm = {
      ...empty,
      name: " research ",
      width: "1600",
      height: "900",
      startUrl: "example.org/a",
      env: "A=1\n B_2=x=y \n\n",
      mode: "list",
      allow: "*.example.org:443",
      deny: "ads.example.org",
      upstream: "socks5://u:p%40@proxy.test:1080",
      ttlMinutes: "60",
      idleMinutes: "10",
      hostname: "box-1",
      timeZone: "Europe/Paris",
      keyboardLayout: "de",
    };
    expect(requestOf(form, [{ path: "/home/user/a", content: "eA==", mode: "0600" }])).toEqual({
      name: "research",
      width: 1600,
      height: 900,
      startUrl: "https://example.org/a",
      env: { A: "1", B_2: "x=y " },
      egress: {
        mode: "list",
        allow: [{ host: "*.example.org", ports: [443] }],
        deny: [{ host: "ads.example.org", ports: [] }],
        upstream: { type: "socks5", host: "proxy.test", port: 1080, username: "u", password: "p@" },
      },
      ttl: 3600,
      idleTimeout: 600,
      hostname: "box-1",
      timeZone: "Europe/Paris",
      keyboardLayout: "de",
      files: [{ path: "/home/user/a", content: "eA==", mode: "0600", owner: "user" }],
    });
  });

  test("requestOf_ModeNone_SendsNoLists", () => {
    expect(requestOf({ ...empty, mode: "none", allow: "a", deny: "b" }, []).egress).toEqual({ mode: "none", allow: [], deny: [] });
  });

  test.each<[keyof NewDesktopForm, string]>([
    ["width", "12"],
    ["height", "1e9"],
    ["width", "x"],
    ["startUrl", "ftp://x"],
    ["startUrl", "http://"],
    ["env", "1A=x"],
    ["env", "novalue"],
    ["deny", "a b"],
    ["deny", "a:99999"],
    ["upstream", "proxy:1"],
    ["upstream", "http://h:0"],
    ["ttlMinutes", "0"],
    ["ttlMinutes", "1.5"],
    ["hostname", "-a"],
    ["hostname", "a_b"],
    ["trust", "x"],
  ])("requestOf_Wrong_%s=%s_NamesTheField", (field, value) => {
    const act = () => requestOf({ ...empty, [field]: value }, []);
    expect(act).toThrow(FieldError);
    try {
      act();
    } catch (error) {
      expect((error as FieldError).field).toBe(field);
    }
  });

  test("requestOf_RelativeFile_IsRefused", () => {
    expect(() => requestOf(empty, [{ path: "a", content: "", mode: "" }])).toThrow(FieldError);
  });
});

test("base64_AllBytes_AreKept", () => {
  const data = Uint8Array.from({ length: 100_000 }, (_, i) => i % 256);
  expect(Uint8Array.from(atob(base64(data)), (c) => c.charCodeAt(0))).toEqual(data);
});

test("parseRules_Lines_RoundTrip", () => {
  const rules = parseRules(" *.Example.org \nexample.com:80,443\n\n[2001:db8::1]:443");
  expect(rules).toEqual([
    { host: "*.example.org", ports: [] },
    { host: "example.com", ports: [80, 443] },
    { host: "[2001:db8::1]", ports: [443] },
  ]);
  expect(parseRules(formatRules(rules))).toEqual(rules);
});

test("steps_Events_AreMergedByName", () => {
  let steps = withStep([], { name: "a", state: "running" });
  steps = withStep(steps, { name: "a", state: "done", elapsedMs: 3 });
  steps = withStep(steps, { name: "b", state: "running" });
  expect(steps.map(({ state }) => state)).toEqual(["done", "running"]);
  expect(progressOf(steps)).toBeGreaterThan(0);
  const many = Array.from({ length: 40 }, (_, i) => ({ name: String(i), state: "done" as const }));
  expect(progressOf(many)).toBeLessThan(1);
});

test("withStep_WordsTwiceAndLate_BeginNothingAgain", () => {
  const seen: Step[] = [
    { name: "a", state: "done" as const, elapsedMs: 5 },
    { name: "b", state: "running" as const },
  ];
  const answer: Step[] = [
    { name: "a", state: "running" as const },
    { name: "b", state: "done" as const },
    { name: "c", state: "running" as const },
  ];
  expect(answer.reduce<Step[]>(withStep, seen).map(({ state }) => state)).toEqual(["done", "done", "running"]);
  expect(seen[1]?.state).toBe("running");
});

test("isNewer_ReplayedStates_DoNotGoBack", () => {
  expect([
    isNewer("ready", "configuring"),
    isNewer("failed", "ready"),
    isNewer("ready", "ready"),
    isNewer("ready", "paused"),
    isNewer("paused", "ready"),
  ]).not.toContain(false);
  expect([isNewer("creating", "ready"), isNewer("configuring", "paused"), isNewer("ready", "destroyed")]).not.toContain(true);
});

test("phasesOf_OverlappingSteps_AreAllThereAndEndInOrder", () => {
  const states = (...steps: Array<[string, "running" | "done" | "failed"]>) =>
    phasesOf(steps.map(([name, state]) => ({ name, state }))).map(({ state }) => state);
  expect(states()).toEqual(["waiting", "waiting", "waiting", "waiting", "waiting"]);
  expect(states(["prepare", "done"])).toEqual(["running", "waiting", "waiting", "waiting", "waiting"]);
  expect(states(["keeper", "running"], ["agent", "running"])).toEqual(["running", "running", "waiting", "waiting", "waiting"]);
  expect(states(["prepare", "done"], ["adopt", "done"], ["first-frame", "failed"])).toEqual(["done", "done", "done", "failed", "waiting"]);
});

test("runningStep_SeveralRun_IsTheFirstBegun", () => {
  expect(
    runningStep([
      { name: "a", state: "done" },
      { name: "b", state: "running" },
      { name: "c", state: "running" },
    ])?.name,
  ).toBe("b");
  expect(runningStep([{ name: "a", state: "done" }])).toBeNull();
});

test("stepTitle_Unknown_IsReadable", () => {
  expect(stepTitle("load-kernelModules")).toBe("Load kernel modules");
  expect(stepTitle("constructor")).toBe("Constructor");
});

test("explain_UnknownReason_StillHasANextStep", () => {
  expect(explain({ code: "something-new" }).next.length).toBeGreaterThan(0);
  expect(explain({ code: "toString" }).next.length).toBeGreaterThan(0);
});

test("parseRoute_Paths_NamePages", () => {
  expect(parseRoute("/")).toEqual({ page: "list" });
  expect(parseRoute("/new")).toEqual({ page: "new" });
  expect(parseRoute("/sessions")).toEqual({ page: "sessions" });
  expect(parseRoute("/desktops/d-abc")).toEqual({ page: "desktop", id: "d-abc" });
  expect(parseRoute("/desktops/..%2f")).toEqual({ page: "list" });
});

describe("session", () => {
  const session = {
    id: "s-aaaaaaaaaa",
    createdAt: "2026-01-02T03:04:05Z",
    lastUsedAt: "2026-01-02T04:00:00Z",
    expiresAt: "2026-02-01T03:04:05Z",
    address: "192.0.2.7",
    browser: "Firefox 143, Linux",
    current: false,
  };
  const now = Date.parse(session.lastUsedAt);

  test("sessionFacts_Used_SaysWhereFromAndWhen", () => {
    expect(sessionTitle(session)).toBe("Firefox 143, Linux");
    const [address, since, used] = sessionFacts(session, now + 7_500_000);
    expect(address).toBe("192.0.2.7");
    expect(since).toMatch(/^since .*2026/);
    expect(used).toBe("last used 2 h 5 min ago");
    expect(sessionFacts(session, now + 59_000)[2]).toBe("used just now");
  });

  test("sessionFacts_OfAnEarlierVersion_SaysWhatIsUnknown", () => {
    const old = { ...session, address: "", browser: "" };
    expect([sessionTitle(old), sessionFacts(old, now)[0]]).toEqual(["Unknown browser", "unknown address"]);
  });
});

test("tokenFrom_Fragment_FindsIt", () => {
  expect(tokenFrom("#token=a%2Bb")).toBe("a+b");
  expect(tokenFrom("#/x")).toBeNull();
  expect(tokenFrom("")).toBeNull();
});

test("returnPath_ForeignAddress_IsTheStart", () => {
  expect(returnPath("/desktops/d-1")).toBe("/desktops/d-1");
  expect(["//evil.test", "https://evil.test", "/a/../b", null].map(returnPath)).toEqual(["/", "/", "/", "/"]);
});

test("loadPreferences_RubbishStored_IsTheDefault", () => {
  const store = (value: string | null) => ({ getItem: () => value, setItem: () => undefined });
  expect(loadPreferences(store("{"))).toEqual(loadPreferences(store(null)));
  expect(loadPreferences(store('{"scale":"actual","codec":"av9"}'))).toMatchObject({ scale: "actual", codec: "auto" });
});

test("format_Values_AreShort", () => {
  expect([duration(900), duration(61_000), duration(7_500_000), duration(90_000_000)]).toEqual(["1 s", "1 min", "2 h 5 min", "1 d 1 h"]);
  expect([elapsed(3.21), elapsed(840.4), elapsed(2440)]).toEqual(["3.2 ms", "840 ms", "2.4 s"]);
  expect([bytes(0), bytes(999), bytes(1000), bytes(12_345_678), bytes(999_999)]).toEqual(["0 B", "999 B", "1.0 kB", "12 MB", "1.0 MB"]);
});

test("oldImage_NewestUsable_IsNamedWhereItIsOld", () => {
  const image = { name: "desktop", createdAt: "2026-01-01T00:00:00Z", old: true, usable: true };
  expect(oldImage([])).toBeNull();
  expect(oldImage([image])).toBe(image);
  expect(oldImage([{ ...image, old: false }, image])).toBeNull();
  expect(oldImage([{ ...image, usable: false, old: false }, image])).toBe(image);
});
