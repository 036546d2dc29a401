using System.Text;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Keyboard;

/// <summary>Finds where the guest's layout has a character, without or with Shift (the first group of the core mapping).</summary>
internal sealed unsafe class LayoutCharacters(XConnection x, SpareKeys spares)
{
    private const int Levels = 2;
    private readonly Dictionary<uint, List<(byte Keycode, bool Shift)>> _places = [];
    private bool _read;

    /// <summary>The places, those without Shift first. They are hints: check them against the keyboard's state.</summary>
    internal IReadOnlyList<(byte Keycode, bool Shift)> Find(Rune character)
    {
        if (!_read)
        {
            Read();
        }

        return _places.TryGetValue(KeySyms.FromCharacter(character), out var places) ? places : [];
    }

    internal void Forget() => _read = false;

    private void Read()
    {
        _places.Clear();
        int min,
            max,
            perCode;
        _ = Xlib.XDisplayKeycodes(x.Handle, &min, &max);
        var syms = Xlib.XGetKeyboardMapping(x.Handle, (byte)min, max - min + 1, &perCode);
        for (var level = 0; syms != null && level < Math.Min(Levels, perCode); level++)
        {
            for (var keycode = min; keycode <= max; keycode++)
            {
                // SAFETY: perCode keysyms for each of max - min + 1 keycodes.
                Add((uint)syms[(keycode - min) * perCode + level], (byte)keycode, level == 1);
            }
        }

        if (syms != null)
        {
            _ = Xlib.XFree((nint)syms);
        }

        _read = true;
    }

    private void Add(uint keysym, byte keycode, bool shift)
    {
        // A keycode lent to one character now may be lent to another by the time it is typed.
        if (keysym == 0 || spares.Owns(keycode))
        {
            return;
        }

        if (!_places.TryGetValue(keysym, out var places))
        {
            _places[keysym] = places = [];
        }

        places.Add((keycode, shift));
    }
}
