/** Style of the viewer; a constructed sheet, so that it passes a Content-Security-Policy without inline styles. */
export const viewerCss = `
:host {
  display: block; position: relative; overflow: hidden; contain: strict; min-height: 120px;
  background: #14161c; color: #f3f4f8; font: 14px/1.4 system-ui, sans-serif;
  --stage-capture: #7c9cff; --stage-encode: #57c7b6; --stage-network: #f2b45a; --stage-decode: #e77fb3; --stage-display: #a98bf0; --stage-line: #e8eaf2;
}
:host([hidden]) { display: none; }
[hidden] { display: none !important; }
.stage { position: absolute; inset: 0; overflow: hidden; touch-action: none; user-select: none; -webkit-user-select: none; }
:host([scale="actual"]) .stage { overflow: auto; }
video, .picture { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; display: block; }
:host([scale="actual"]) .surface { width: auto; height: auto; inset: auto; left: 0; top: 0; margin: 0; object-fit: fill; }
.keys {
  position: absolute; left: 0; bottom: 0; width: 1px; height: 1px; padding: 0; border: 0; opacity: 0; resize: none; overflow: hidden;
  font-size: 16px; pointer-events: none; caret-color: transparent;
}
.ring { position: absolute; inset: 0; pointer-events: none; border: 2px solid transparent; }
.keys:focus-visible ~ .ring { animation: settle 4s ease-in forwards; }
@keyframes settle { 0%, 60% { border-color: #7c9cff; } to { border-color: rgb(124 156 255 / .4); } }
.ghost { position: absolute; left: 0; top: 0; pointer-events: none; }
.notice {
  position: absolute; left: 50%; top: 50%; transform: translate(-50%, -50%); box-sizing: border-box; width: min(360px, calc(100% - 32px));
  padding: 20px 22px; border-radius: 14px; background: rgb(24 27 36 / .92); border: 1px solid rgb(255 255 255 / .12);
  box-shadow: 0 12px 40px rgb(0 0 0 / .4); text-align: center;
}
.notice h2 { margin: 0 0 6px; font-size: 16px; font-weight: 600; }
.notice p { margin: 0; color: #c3c8d6; overflow-wrap: anywhere; }
.notice button {
  margin-top: 14px; font: inherit; font-weight: 600; padding: 8px 18px; border-radius: 9px; border: 0; background: #5b7cff; color: #fff; cursor: pointer;
}
.notice button:focus-visible { outline: 2px solid #fff; outline-offset: 2px; }
.spinner { width: 26px; height: 26px; margin: 0 auto 12px; border-radius: 50%; border: 3px solid rgb(255 255 255 / .2); border-top-color: #8ea6ff; animation: turn .9s linear infinite; }
@keyframes turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .spinner { animation-duration: 4s; } }
.hint {
  position: absolute; left: 50%; bottom: 14px; transform: translateX(-50%); padding: 6px 12px; border-radius: 999px; white-space: nowrap;
  background: rgb(24 27 36 / .85); font-size: 12.5px; pointer-events: none; opacity: 0; transition: opacity .3s;
}
.hint.on { opacity: 1; }
.hint kbd { font: inherit; padding: 0 5px; border: 1px solid rgb(255 255 255 / .35); border-radius: 4px; }
.latency {
  position: absolute; right: 12px; bottom: 12px; box-sizing: border-box; width: min(300px, calc(100% - 24px)); padding: 12px;
  border-radius: 12px; background: rgb(24 27 36 / .88); border: 1px solid rgb(255 255 255 / .12); pointer-events: none; font-size: 12px;
}
.latency canvas { display: block; width: 100%; height: 64px; }
.latency ul { display: flex; flex-wrap: wrap; gap: 2px 12px; list-style: none; margin: 8px 0 6px; padding: 0; font-variant-numeric: tabular-nums; }
.latency li::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 5px; border-radius: 2px; background: var(--dot, transparent); }
.latency li.total { font-weight: 600; } .latency li.total::before { display: none; }
.capture { --dot: var(--stage-capture); } .encode { --dot: var(--stage-encode); } .network { --dot: var(--stage-network); }
.decode { --dot: var(--stage-decode); } .display { --dot: var(--stage-display); }
.latency p { margin: 0; color: #c3c8d6; font-variant-numeric: tabular-nums; }
`;
