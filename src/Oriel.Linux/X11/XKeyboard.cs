using System.Text;

namespace Oriel.Linux.X11;

/// <summary>
/// Keys by XTEST. A key goes by its place unless the guest's layout gives another character there than the user meant;
/// then, and for text, the character is put on a spare keycode (<see cref="SpareKeys"/>) and typed there.
/// </summary>
internal sealed unsafe class XKeyboard
{
    private const int KeymapBytes = 32, CoreKeyboard = 0x100;
    private const uint ShiftMask = 1, LockMask = 2, ControlMask = 4, AltMask = 8, SuperMask = 64, LevelThreeMask = 128;
    private readonly XConnection _x;
    private readonly SpareKeys _spares;
    private readonly Dictionary<string, byte> _held = new(StringComparer.Ordinal);

    internal XKeyboard(XConnection x)
    {
        _x = x;
        _spares = new(x);
        int opcode, eventBase, errorBase, major = 1, minor = 0;
        _ = Xlib.XkbQueryExtension(x.Handle, &opcode, &eventBase, &errorBase, &major, &minor);
    }

    internal void Down(string code, string key)
    {
        var keycode = KeyCodes.Find(code);
        if (_held.TryGetValue(code, out var before))
        {
            // A repeat: the same key again, whatever it was mapped to.
            Press(before, true);
            return;
        }

        if (TryReadCharacter(key, out var character))
        {
            var state = ReadState();
            if ((state & (ControlMask | AltMask | SuperMask)) == 0 && (keycode == 0 || !Gives(keycode, state, character)))
            {
                var spare = _spares.Map(KeySyms.FromCharacter(character));
                PressPlain(spare, state, code);
                return;
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
        foreach (var rune in text.EnumerateRunes())
        {
            var state = ReadState();
            var keycode = rune.Value switch
            {
                '\n' or '\r' => KeyCodes.Find("Enter"),
                '\t' => KeyCodes.Find("Tab"),
                _ => _spares.Map(KeySyms.FromCharacter(rune)),
            };
            PressPlain(keycode, state, heldAs: null);
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

    internal void RestoreSpareKeys() => _spares.Restore();

    // A spare key has its character on both levels, so Shift does no harm; but what is held stays held.
    private void PressPlain(byte keycode, uint state, string? heldAs)
    {
        _ = state;
        Press(keycode, true);
        if (heldAs is null)
        {
            Press(keycode, false);
        }
        else
        {
            _held[heldAs] = keycode;
        }
    }

    private bool Gives(byte keycode, uint state, Rune character)
    {
        uint consumed;
        nuint keysym;
        var mask = state & (ShiftMask | LockMask | LevelThreeMask | 16) | state & 0x6000;
        return Xlib.XkbLookupKeySym(_x.Handle, keycode, mask, &consumed, &keysym) != 0 && KeySyms.IsCharacter((uint)keysym, character);
    }

    private uint ReadState()
    {
        // XkbStateRec: group, locked_group, base_group (16 bits), latched_group (16 bits), mods ...
        var state = stackalloc byte[64];
        _ = Xlib.XkbGetState(_x.Handle, CoreKeyboard, state);
        _x.ThrowIfBroken("the keyboard's state");
        return state[6] | (uint)(state[0] & 3) << 13;
    }

    private void Press(byte keycode, bool down) => _ = Xlib.XTestFakeKeyEvent(_x.Handle, keycode, down ? 1 : 0, 0);

    private static bool TryReadCharacter(string key, out Rune character)
    {
        character = default;
        return Rune.DecodeFromUtf16(key, out character, out var length) == System.Buffers.OperationStatus.Done && length == key.Length && character.Value >= 0x20 && character.Value != 0x7F;
    }
}
