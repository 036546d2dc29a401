namespace Oriel.Screen.X11.Keyboard;

/// <summary>
/// Maps KeyboardEvent.code (UI Events) to X keycodes of the evdev rules (Linux input code + 8), which Xvfb, Xorg and Xvnc start with.
/// </summary>
internal static class KeyCodes
{
    private const int EvdevOffset = 8;

    private static readonly Dictionary<string, byte> ByCode = Create();

    /// <summary>The keycode; 0 for an unknown key.</summary>
    internal static byte Find(string code) => ByCode.GetValueOrDefault(code);

    /// <summary>Whether a keyboard never repeats this key.</summary>
    internal static bool IsModifier(string code) =>
        code
            is "ShiftLeft"
                or "ShiftRight"
                or "ControlLeft"
                or "ControlRight"
                or "AltLeft"
                or "AltRight"
                or "MetaLeft"
                or "MetaRight"
                or "CapsLock"
                or "NumLock"
                or "ScrollLock";

    private static Dictionary<string, byte> Create()
    {
        var map = new Dictionary<string, byte>(StringComparer.Ordinal);
        // Rows of adjacent Linux input codes (linux/input-event-codes.h).
        Row(1, "Escape Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace");
        Row(15, "Tab KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter");
        Row(29, "ControlLeft KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote");
        Row(42, "ShiftLeft Backslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply");
        Row(56, "AltLeft Space CapsLock F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock");
        Row(71, "Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal");
        Row(86, "IntlBackslash F11 F12 IntlRo");
        Row(92, "Convert KanaMode NonConvert");
        Row(96, "NumpadEnter ControlRight NumpadDivide PrintScreen AltRight");
        Row(102, "Home ArrowUp PageUp ArrowLeft ArrowRight End ArrowDown PageDown Insert Delete");
        Row(113, "AudioVolumeMute AudioVolumeDown AudioVolumeUp");
        Row(117, "NumpadEqual");
        Row(119, "Pause");
        Row(121, "NumpadComma Lang1 Lang2 IntlYen MetaLeft MetaRight ContextMenu");
        Row(158, "BrowserBack BrowserForward");
        Row(163, "MediaTrackNext MediaPlayPause MediaTrackPrevious MediaStop");
        Row(183, "F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F24");
        return map;

        void Row(int first, string codes)
        {
            foreach (var code in codes.Split(' '))
            {
                map[code] = (byte)(first++ + EvdevOffset);
            }
        }
    }
}
