using Oriel.Protocol.Display;
using Oriel.Streaming.Page;
using Oriel.WebRtc.Video;

namespace Oriel.Streaming.Picture;

/// <summary>
/// A connected page. The page's thread sets its wishes (visible, rate, frame cap) and raises <see cref="Changed"/>, which wakes the
/// desktop's owner loop to read them.
/// </summary>
internal abstract class Viewer(string id, Codec codec, int bitrate, int maxFps)
{
    private volatile bool _visible = true;
    private volatile int _targetBitrate = bitrate;
    private volatile int _maxFps = maxFps;
    private volatile bool _needsKeyFrame = true;
    private long _lastPointerAt;

    public string Id { get; } = id;

    public Codec Codec { get; } = codec;

    /// <summary>Wakes the owner loop.</summary>
    public event Action? Changed;

    /// <summary>The viewer cannot continue without a key frame.</summary>
    public event Action<Viewer>? KeyFrameWanted;

    public bool Visible
    {
        get => _visible;
        set
        {
            if (_visible == value)
            {
                return;
            }

            _visible = value;
            Changed?.Invoke();
            if (value)
            {
                WantKeyFrame();
            }
        }
    }

    /// <summary>Bits per second that the path to this viewer can carry.</summary>
    public int TargetBitrate
    {
        get => _targetBitrate;
        protected set
        {
            _targetBitrate = value;
            Changed?.Invoke();
        }
    }

    public int MaxFps
    {
        get => _maxFps;
        set
        {
            _maxFps = value;
            Changed?.Invoke();
        }
    }

    /// <summary>
    /// Whether frames reach it. A viewer that is still connecting asks for its key frame later: asking now would only use up the interval.
    /// </summary>
    public abstract bool IsLive { get; }

    /// <summary>Whether it was connected and is silent now. Its wishes do not count, since the page may be gone.</summary>
    public virtual bool IsAway => false;

    /// <summary>Whether frames are queued on the way to it: another one would only wait behind them.</summary>
    public virtual bool IsBehind => false;

    public ViewerInput? Input { get; set; }

    /// <summary>When this viewer last moved or clicked, as a timestamp of the <see cref="TimeProvider"/>; 0 = never.</summary>
    public long LastPointerAt
    {
        get => Volatile.Read(ref _lastPointerAt);
        set => Volatile.Write(ref _lastPointerAt, value);
    }

    /// <summary>
    /// Gives the viewer a frame to send or drop immediately. Frames that it could not decode are skipped until the next key frame.
    /// </summary>
    public void Offer(in EncodedVideo frame, long captureUs)
    {
        if (!_visible)
        {
            _needsKeyFrame = true;
            return;
        }

        if (_needsKeyFrame && !frame.IsKeyFrame)
        {
            return;
        }

        _needsKeyFrame = !TrySendFrame(frame, captureUs);
        if (_needsKeyFrame)
        {
            OnDropped();
        }
    }

    /// <summary>Sends a UTF-8 JSON message on <c>control</c>; dropped when the page does not keep up or the channel is not open.</summary>
    public abstract void SendControl(ReadOnlyMemory<byte> message);

    /// <summary>
    /// Sends messages that replace earlier ones of their kind: a page that does not keep up gets the newest alone, and never a part of
    /// them.
    /// </summary>
    public virtual void SendNewest(ControlSlot slot, IReadOnlyList<byte[]> messages)
    {
        foreach (var message in messages)
        {
            SendControl(message);
        }
    }

    /// <summary>Ends the connection to the page.</summary>
    public abstract ValueTask CloseAsync();

    /// <returns>False when the frame was dropped.</returns>
    protected abstract bool TrySendFrame(in EncodedVideo frame, long captureUs);

    /// <summary>Whether frames are skipped until a key frame.</summary>
    protected bool NeedsKeyFrame => _needsKeyFrame;

    protected virtual void OnDropped() => WantKeyFrame();

    protected void NotifyChanged() => Changed?.Invoke();

    protected void WantKeyFrame() => KeyFrameWanted?.Invoke(this);
}

/// <summary>The kinds of message of which a page needs the newest alone.</summary>
internal enum ControlSlot
{
    State,
    Size,
    Cursor,
    Position,
    Rate,
    Clipboard,
}
