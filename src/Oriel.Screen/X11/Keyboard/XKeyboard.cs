using System.Text;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Keyboard;

/// <summary>
/// Types keys through XTEST. A key is pressed by its position, unless the guest's layout has a different character there from the one the
/// user meant; then that character is put on a spare keycode (<see cref="SpareKeys"/>). The characters of a text are typed where the layout
/// has them, and otherwise with spare keycodes.
/// </summary>
internal sealed unsafe class XKeyboard
{
    private const int KeymapBytes = 32,
        MappingNotify = 34,
        MappingKeyboard = 1;
    private const uint ShiftMask = 1,
        ControlMask = 4,
        AltMask = 8,
        SuperMask = 64,
        ModifierBits = 0xFF;
    private readonly XConnection _x;
    private readonly SpareKeys _spares;
    private readonly LayoutCharacters _layout;
    private readonly KeyRepeat _repeat;
    private bool _pressed;
    private readonly Dictionary<string, byte> _held = new(StringComparer.Ordinal);

    internal XKeyboard(XConnection x, SpareKeys spares)
    {
        _x = x;
        _spares = spares;
        _layout = new(x, spares);
        _repeat = new(x);
    }

    internal void Down(string code, string key)
    {
        ReadChanges();
        if (_held.TryGetValue(code, out var before))
        {
            Repeat(code, before);
            return;
        }

        var keycode = KeyCodes.Find(code);
        if (TryReadCharacter(key, out var character))
        {
            var state = ReadState();
            if ((state & (ControlMask | AltMask | SuperMask)) == 0 && (keycode == 0 || !Gives(keycode, state, character)))
            {
                keycode = _spares.Map(KeySyms.FromCharacter(character), _x);
            }
        }

        if (keycode != 0)
        {
            _held[code] = keycode;
            Press(keycode, true);
        }
    }

    internal void Up(string code)
    {
        if (_held.Remove(code, out var keycode))
        {
            Press(keycode, false);
        }
    }

    internal void Type(string text)
    {
        ReadChanges();
        var state = ReadState();
        var runes = text.EnumerateRunes().ToArray();
        for (var at = 0; at < runes.Length; )
        {
            var end = LendTo(runes, at, state);
            for (; at < end; at++)
            {
                TypeRune(runes[at], state);
            }
        }
    }

    internal void ReleaseAll()
    {
        var pressed = stackalloc byte[KeymapBytes];
        _ = Xlib.XQueryKeymap(_x.Handle, pressed);
        foreach (var keycode in _held.Values.Distinct().ToArray())
        {
            if ((pressed[keycode >> 3] & (1 << (keycode & 7))) != 0)
            {
                Press(keycode, false);
            }
        }

        _held.Clear();
    }

    /// <summary>
    /// Puts the characters from <paramref name="at"/> on that need it on spare keys, as many as one change can. Returns where they end.
    /// </summary>
    private int LendTo(Rune[] runes, int at, uint state)
    {
        var wanted = new HashSet<uint>();
        var room = 0;
        var end = at;
        for (; end < runes.Length; end++)
        {
            if (!IsControl(runes[end]) && FindPlace(runes[end], state) is null && !wanted.Contains(KeySyms.FromCharacter(runes[end])))
            {
                room = room == 0 ? _spares.LongestRun : room;
                if (wanted.Count == room)
                {
                    break;
                }

                wanted.Add(KeySyms.FromCharacter(runes[end]));
            }
        }

        if (wanted.Count > 0)
        {
            _spares.Lend(wanted, _x);
        }

        return end;
    }

    private void TypeRune(Rune rune, uint state)
    {
        if (rune.Value is '\n' or '\t')
        {
            Tap(KeyCodes.Find(rune.Value == '\n' ? "Enter" : "Tab"), withShift: false);
        }
        else if (IsControl(rune))
        {
            // No key produces these characters.
        }
        else if (FindPlace(rune, state) is { } place)
        {
            Tap(place.Keycode, place.Shift && (state & ShiftMask) == 0);
        }
        else
        {
            Tap(_spares.Map(KeySyms.FromCharacter(rune), _x), withShift: false);
        }
    }

    private (byte Keycode, bool Shift)? FindPlace(Rune character, uint state)
    {
        foreach (var (keycode, shift) in _layout.Find(character))
        {
            var wanted = shift ? state | ShiftMask : state & ~ShiftMask;
            // A held Shift is not released for one character: a spare key has it on both levels.
            if ((shift || (state & ShiftMask) == 0) && Gives(keycode, wanted, character))
            {
                return (keycode, shift);
            }
        }

        return null;
    }

    private static bool IsControl(Rune rune) => rune.Value is < 0x20 or 0x7F;

    private void Tap(byte keycode, bool withShift)
    {
        var shift = KeyCodes.Find("ShiftLeft");
        if (withShift)
        {
            Press(shift, true);
        }

        Press(keycode, true);
        Press(keycode, false);
        if (withShift)
        {
            Press(shift, false);
        }
    }

    private void ReadChanges()
    {
        while (_x.TryReadEvent(out var e))
        {
            if (e.Type == MappingNotify)
            {
                TakeMapping(e);
            }
            else if (_repeat.IsChangedBy(e))
            {
                _repeat.LeaveToTheViewer();
            }
        }
    }

    // Every change, including one made by SpareKeys, comes back as an event. Xlib must then read the mapping again.
    private void TakeMapping(XEvent e)
    {
        _ = Xlib.XRefreshKeyboardMapping(&e);
        if (e.MappingRequest == MappingKeyboard && !_spares.Owns(e.MappingFirst))
        {
            _layout.Forget();
        }
    }

    private bool Gives(byte keycode, uint state, Rune character)
    {
        uint consumed;
        nuint keysym;
        return Xlib.XkbLookupKeySym(_x.Handle, keycode, state, &consumed, &keysym) != 0 && KeySyms.IsCharacter((uint)keysym, character);
    }

    // The core state: eight modifiers, and the group (layout) in bits 13 and 14.
    private uint ReadState()
    {
        // XkbStateRec: group, locked_group (8 bits), base_group, latched_group (16 bits), mods (8 bits) ...
        var state = stackalloc byte[64];
        _ = Xlib.XkbGetState(_x.Handle, Xlib.CoreKeyboard, state);
        _x.ThrowIfBroken("the keyboard's state");
        return state[6] & ModifierBits | (uint)(state[0] & 3) << 13;
    }

    // The server ignores a second press of a key that is down (Xi/exevents.c), so the key is released in between, as in the server's own
    // repeats (X11 protocol, Keyboard auto-repeat). The key keeps the mapping it was first pressed with.
    private void Repeat(string code, byte keycode)
    {
        if (!KeyCodes.IsModifier(code))
        {
            Press(keycode, false);
            Press(keycode, true);
        }
    }

    private void Press(byte keycode, bool down)
    {
        if (!_pressed)
        {
            _pressed = true;
            _spares.ExpectChange();
        }

        _ = Xlib.XTestFakeKeyEvent(_x.Handle, keycode, down ? 1 : 0, 0);
    }

    private static bool TryReadCharacter(string key, out Rune character) =>
        Rune.DecodeFromUtf16(key, out character, out var length) == System.Buffers.OperationStatus.Done
        && length == key.Length
        && character.Value >= 0x20
        && character.Value != 0x7F;
}
