using Oriel.Linux.Posix;

namespace Oriel.Linux.X11;

/// <summary>
/// Keycodes without a meaning in the guest's layout, lent to characters that the layout does not have. The longest unused one is
/// lent anew when all are taken; not before clients had time to read what it meant the last time, since they look a key up when they
/// handle its event, not when it was pressed.
/// </summary>
internal sealed unsafe class SpareKeys(XConnection x)
{
    private const int MaxSpares = 64, LevelsWritten = 2;
    private const long ReuseUs = 200_000;
    private readonly LinkedList<Spare> _keys = new();
    private bool _found;

    /// <summary>The keycode that gives <paramref name="keysym"/> on each level once this returns.</summary>
    internal byte Map(uint keysym)
    {
        if (!_found)
        {
            Find();
        }

        var node = _keys.First;
        while (node is not null && node.Value.KeySym != keysym)
        {
            node = node.Next;
        }

        node ??= Lend(keysym);
        node.Value = node.Value with { UsedUs = Poller.NowUs };
        _keys.Remove(node);
        _keys.AddLast(node);
        return node.Value.Keycode;
    }

    /// <summary>Whether a change of this keycode's meaning is one of these.</summary>
    internal bool Owns(int keycode) => _keys.Any(spare => spare.Keycode == keycode);

    /// <summary>The layout was changed by someone else: nothing that was lent is there any more.</summary>
    internal void Forget()
    {
        _keys.Clear();
        _found = false;
    }

    internal void Restore()
    {
        foreach (var spare in _keys.Where(spare => spare.KeySym != 0))
        {
            Write(spare.Keycode, 0);
        }

        Forget();
    }

    private LinkedListNode<Spare> Lend(uint keysym)
    {
        var node = _keys.First ?? throw new XException("the keyboard has no spare keycode");
        if (node.Value.KeySym != 0 && Poller.NowUs - node.Value.UsedUs < ReuseUs)
        {
            using var poller = new Poller();
            poller.Wait(-1, node.Value.UsedUs + ReuseUs);
        }

        Write(node.Value.Keycode, keysym);
        node.Value = node.Value with { KeySym = keysym };
        return node;
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
                _keys.AddLast(new Spare((byte)keycode, 0, 0));
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

    private readonly record struct Spare(byte Keycode, uint KeySym, long UsedUs);
}
