import { expect, test } from "vitest";
import { applyRestart, candidates, iceCredentials, onlyTransport, restartFragment } from "../packages/oriel-desktop/src/sdp.js";

const answer = [
  "v=0",
  "o=- 1 1 IN IP4 0.0.0.0",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0 1",
  "a=ice-lite",
  "m=video 9 UDP/TLS/RTP/SAVPF 96",
  "c=IN IP4 0.0.0.0",
  "a=mid:0",
  "a=ice-ufrag:old",
  "a=ice-pwd:oldpassword",
  "a=candidate:1 1 udp 2130706431 127.0.0.1 4001 typ host",
  "a=candidate:2 1 tcp 1694498815 127.0.0.1 4001 typ host tcptype passive",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  "a=mid:1",
  "a=ice-ufrag:old",
  "a=ice-pwd:oldpassword",
  "",
].join("\r\n");

test("restartFragment_Offer_CarriesItsCredentials", () => {
  const fragment = restartFragment("v=0\r\nm=video 9 X 96\r\na=mid:0\r\na=ice-ufrag:new\r\na=ice-pwd:newpassword\r\n");
  expect(iceCredentials(fragment)).toEqual({ ufrag: "new", pwd: "newpassword" });
  expect(fragment).toContain("\r\nm=video 9 X 96\r\na=mid:0\r\n");
  expect(() => restartFragment("v=0\r\n")).toThrow("credentials");
});

test("applyRestart_Fragment_ReplacesCredentialsAndCandidates", () => {
  const renewed = applyRestart(
    answer,
    "a=ice-ufrag:fresh\r\na=ice-pwd:freshpassword\r\nm=video 9 X 0\r\na=mid:0\r\na=candidate:9 1 udp 1 10.0.0.1 5 typ host\r\n",
  );
  expect(renewed.match(/a=ice-ufrag:fresh/g)?.length).toBe(2);
  expect(renewed).not.toContain("old");
  expect(candidates(renewed)).toEqual(["a=candidate:9 1 udp 1 10.0.0.1 5 typ host"]);
});

test("applyRestart_WithoutCandidates_KeepsTheOldOnes", () => {
  expect(candidates(applyRestart(answer, "a=ice-ufrag:f\r\na=ice-pwd:p\r\n")).length).toBe(2);
  expect(() => applyRestart(answer, "")).toThrow("credentials");
});

test("onlyTransport_Tcp_LeavesItsCandidate", () => {
  expect(candidates(onlyTransport(answer, "tcp"))).toEqual(["a=candidate:2 1 tcp 1694498815 127.0.0.1 4001 typ host tcptype passive"]);
});
