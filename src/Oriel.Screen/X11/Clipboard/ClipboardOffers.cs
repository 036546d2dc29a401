using Oriel.Linux.Clocks;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Clipboard;

/// <summary>
/// Answers requests for the text that Oriel owns. A long text is sent in pieces (INCR), as fast as each requestor takes them.
/// </summary>
internal sealed unsafe class ClipboardOffers(XConnection x, nuint owner)
{
    private const int PieceBytes = 64 * 1024,
        MaxTransfers = 16,
        Replace = 0,
        Format8 = 8,
        Format32 = 32;
    private const int SelectionNotifyType = 31,
        PropertyChangeMask = 1 << 22,
        AtomType = 4,
        IntegerType = 19;
    private const long PatienceUs = 10_000_000;
    private static readonly string[] TextTargets = ["UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "TEXT", "STRING"];
    private readonly List<Transfer> _transfers = [];
    private byte[]? _text;

    internal long DeadlineUs => _transfers.Count == 0 ? -1 : _transfers.Min(transfer => transfer.DeadlineUs);

    internal void Set(byte[] text) => _text = text;

    internal void Clear() => _text = null;

    internal void Answer(in XEvent request)
    {
        // Clients older than ICCCM give no property; the target's name is used.
        var property = request.RequestProperty != 0 ? request.RequestProperty : request.RequestTarget;
        var done = _text is not null && Put(request.RequestRequestor, request.RequestTarget, property, _text);
        XEvent answer = default;
        answer.Type = SelectionNotifyType;
        answer.Display = x.Handle;
        answer.Window = request.RequestRequestor;
        answer.NotifySelection = request.RequestSelection;
        answer.NotifyTarget = request.RequestTarget;
        answer.NotifyProperty = done ? property : 0;
        answer.NotifyTime = request.RequestTime;
        _ = Xlib.XSendEvent(x.Handle, request.RequestRequestor, 0, 0, &answer);
    }

    /// <summary>A requestor has taken a piece: sends the next one.</summary>
    internal void Continue(nuint requestor, nuint property)
    {
        if (_transfers.Find(transfer => transfer.Requestor == requestor && transfer.Property == property) is not { } transfer)
        {
            return;
        }

        var piece = transfer.Text.AsSpan(transfer.Sent, Math.Min(PieceBytes, transfer.Text.Length - transfer.Sent));
        Change(requestor, property, transfer.Target, Format8, piece, piece.Length);
        transfer.Sent += piece.Length;
        transfer.DeadlineUs = MonotonicClock.NowUs + PatienceUs;
        // An empty piece after the last one marks the end.
        if (piece.Length == 0)
        {
            End(transfer);
        }
    }

    internal void Expire(long nowUs)
    {
        foreach (var transfer in _transfers.Where(transfer => nowUs >= transfer.DeadlineUs).ToArray())
        {
            End(transfer);
        }
    }

    private bool Put(nuint requestor, nuint target, nuint property, byte[] text)
    {
        if (target == x.Atom("TARGETS"))
        {
            nuint[] targets = [x.Atom("TARGETS"), .. TextTargets.Select(x.Atom)];
            fixed (nuint* data = targets)
            {
                _ = Xlib.XChangeProperty(x.Handle, requestor, property, AtomType, Format32, Replace, (byte*)data, targets.Length);
            }

            return true;
        }

        if (!TextTargets.Any(name => x.Atom(name) == target))
        {
            return false;
        }

        if (target == x.Atom("TEXT"))
        {
            target = x.Atom("UTF8_STRING");
        }

        return text.Length <= PieceBytes ? PutWhole(requestor, target, property, text) : Begin(requestor, target, property, text);
    }

    private bool PutWhole(nuint requestor, nuint target, nuint property, byte[] text)
    {
        Change(requestor, property, target, Format8, text, text.Length);
        return true;
    }

    private bool Begin(nuint requestor, nuint target, nuint property, byte[] text)
    {
        _transfers.RemoveAll(transfer => transfer.Requestor == requestor && transfer.Property == property);
        if (_transfers.Count >= MaxTransfers)
        {
            return false;
        }

        _ = Xlib.XSelectInput(x.Handle, requestor, PropertyChangeMask);
        nint size = text.Length;
        _ = Xlib.XChangeProperty(x.Handle, requestor, property, x.Atom("INCR"), Format32, Replace, (byte*)&size, 1);
        _transfers.Add(
            new Transfer
            {
                Requestor = requestor,
                Target = target,
                Property = property,
                Text = text,
                DeadlineUs = MonotonicClock.NowUs + PatienceUs,
            }
        );
        return true;
    }

    private void End(Transfer transfer)
    {
        _transfers.Remove(transfer);
        if (transfer.Requestor != owner && !_transfers.Exists(other => other.Requestor == transfer.Requestor))
        {
            _ = Xlib.XSelectInput(x.Handle, transfer.Requestor, 0);
        }
    }

    private void Change(nuint window, nuint property, nuint type, int format, ReadOnlySpan<byte> data, int elements)
    {
        // SAFETY: Xlib copies the data into its buffer during the call.
        fixed (byte* pointer = data)
        {
            _ = Xlib.XChangeProperty(x.Handle, window, property, type, format, Replace, pointer, elements);
        }
    }

    private sealed class Transfer
    {
        internal required nuint Requestor { get; init; }

        internal required nuint Target { get; init; }

        internal required nuint Property { get; init; }

        internal required byte[] Text { get; init; }

        internal int Sent { get; set; }

        internal long DeadlineUs { get; set; }
    }
}
