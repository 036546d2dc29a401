namespace Oriel.Linux.X11;

/// <summary>
/// Keycodes without a meaning in the guest's layout, lent to characters that the layout does not have. The longest unused one is
/// lent anew when all are taken.
/// </summary>
internal sealed unsafe class SpareKeys(XConnection x)
{
    private const int MaxSpares = 16, LevelsWritten = 2;
    private readonly LinkedList<(byte Keycode, uint KeySym)> _keys = new();
    private bool _found;

    /// <summary>The keycode that gives <paramref name="keysym"/> on each level once this returns.</summary>
    internal byte Map(uint keysym)
    {
        if (!_found)
        {
            Find();
        }

        for (var node = _keys.First; node is not null; node = node.Next)
        {
            if (node.Value.KeySym == keysym)
            {
                _keys.Remove(node);
                _keys.AddLast(node);
                return node.Value.Keycode;
            }
        }

        var oldest = _keys.First ?? throw new XException("the keyboard has no spare keycode");
        _keys.RemoveFirst();
        Write(oldest.Value.Keycode, keysym);
        _keys.AddLast((oldest.Value.Keycode, keysym));
        return oldest.Value.Keycode;
    }

    internal void Restore()
    {
        foreach (var (keycode, keysym) in _keys)
        {
            if (keysym != 0)
            {
                Write(keycode, 0);
            }
        }

        _keys.Clear();
        _found = false;
    }

    private void Find()
    {
        int min, max, perCode;
        _ = Xlib.XDisplayKeycodes(x.Handle, &min, &max);
        var syms = Xlib.XGetKeyboardMapping(x.Handle, (byte)min, max - min + 1, &perCode);
        if (syms == null)
        {
            throw new XException("the keyboard mapping could not be read");
        }

        // From the top: the lowest unused keycodes are those that rules of other layouts use first.
        for (var keycode = max; keycode >= min && _keys.Count < MaxSpares; keycode--)
        {
            if (new ReadOnlySpan<nuint>(syms + (keycode - min) * perCode, perCode).IndexOfAnyExcept((nuint)0) < 0)
            {
                _keys.AddLast(((byte)keycode, 0));
            }
        }

        _ = Xlib.XFree((nint)syms);
        _found = true;
    }

    private void Write(byte keycode, uint keysym)
    {
        var levels = stackalloc nuint[LevelsWritten] { keysym, keysym };
        _ = Xlib.XChangeKeyboardMapping(x.Handle, keycode, LevelsWritten, levels, 1);
        x.Sync();
    }
}
