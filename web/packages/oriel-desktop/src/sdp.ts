/** The little of SDP (RFC 8866) and of trickle fragments (RFC 8840) that ICE restart and transport choice need. */

export interface IceCredentials {
  ufrag: string;
  pwd: string;
}

export function iceCredentials(sdp: string): IceCredentials | null {
  const ufrag = attribute(sdp, "ice-ufrag");
  const pwd = attribute(sdp, "ice-pwd");
  return ufrag && pwd ? { ufrag, pwd } : null;
}

export function candidates(sdp: string): string[] {
  return lines(sdp).filter((line) => line.startsWith("a=candidate:"));
}

/** The body of a WHEP PATCH that restarts ICE: new credentials of the offer, and its first media section for the mid. */
export function restartFragment(offer: string): string {
  const credentials = iceCredentials(offer);
  if (!credentials) throw new Error("The offer has no ICE credentials.");
  const media = lines(offer).find((line) => line.startsWith("m=")) ?? "m=video 9 UDP/TLS/RTP/SAVPF 0";
  const mid = attribute(offer, "mid") ?? "0";
  return [
    `a=ice-ufrag:${credentials.ufrag}`,
    `a=ice-pwd:${credentials.pwd}`,
    media,
    `a=mid:${mid}`,
    ...candidates(offer),
    "a=end-of-candidates",
    "",
  ].join("\r\n");
}

/** The earlier answer with the credentials and candidates of the server's restart fragment. */
export function applyRestart(answer: string, fragment: string): string {
  const credentials = iceCredentials(fragment);
  if (!credentials) throw new Error("The server's answer to the ICE restart has no credentials.");
  const fresh = candidates(fragment);
  const out: string[] = [];
  let placed = fresh.length === 0;
  for (const line of lines(answer)) {
    if (line.startsWith("a=ice-ufrag:")) out.push(`a=ice-ufrag:${credentials.ufrag}`);
    else if (line.startsWith("a=ice-pwd:")) out.push(`a=ice-pwd:${credentials.pwd}`);
    else if (line.startsWith("a=candidate:") && fresh.length > 0) {
      if (!placed) out.push(...fresh);
      placed = true;
    } else out.push(line);
  }
  if (!placed) {
    const end = out.findIndex((line, index) => line.startsWith("m=") && index > out.findIndex((l) => l.startsWith("m=")));
    out.splice(end < 0 ? out.length : end, 0, ...fresh);
  }
  return out.join("\r\n") + "\r\n";
}

/** Leaves only the candidates of one transport, for a viewer that was told to use just that. */
export function onlyTransport(sdp: string, transport: "udp" | "tcp"): string {
  const kept = lines(sdp).filter((line) => !line.startsWith("a=candidate:") || line.split(" ")[2]?.toLowerCase() === transport);
  return kept.join("\r\n") + "\r\n";
}

function attribute(sdp: string, name: string): string | null {
  const prefix = `a=${name}:`;
  return (
    lines(sdp)
      .find((line) => line.startsWith(prefix))
      ?.slice(prefix.length) ?? null
  );
}

function lines(sdp: string): string[] {
  return sdp.split(/\r\n|\n/).filter((line) => line.length > 0);
}
