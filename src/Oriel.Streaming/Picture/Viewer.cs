using Oriel.Protocol.Display;
using Oriel.Streaming.Page;
using Oriel.WebRtc.Video;

namespace Oriel.Streaming.Picture;

/// <summary>
/// A connected page. Wishes (visible, rate, frame cap) are set by the page's thread and read by the desktop's owner loop, which
/// <see cref="Changed"/> wakes.
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

    /// <summary>The viewer cannot go on without a key frame.</summary>
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

    /// <summary>Bits a second that the way to this viewer bears.</summary>
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
    /// Frames reach it. One that is still connecting asks for its key frame itself, later: asking now would only use up the interval.
    /// </summary>
    public abstract bool IsLive { get; }

    /// <summary>Was connected and is not heard of now: its wishes do not count, as it may be a page that went without a word.</summary>
    public virtual bool IsAway => false;

    /// <summary>Frames wait on the way to it: another one would only wait behind them.</summary>
    public virtual bool IsBehind => false;

    public ViewerInput? Input { get; set; }

    /// <summary>When this viewer last moved or clicked, as a timestamp of the system's clock.</summary>
    public long LastPointerAt
    {
        get => Volatile.Read(ref _lastPointerAt);
        set => Volatile.Write(ref _lastPointerAt, value);
    }

    /// <summary>
    /// Gives the viewer a frame to send or drop at once; frames that it could not decode are left out until the next key frame.
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

    /// <summary>Ends the connection to the page.</summary>
    public abstract ValueTask CloseAsync();

    /// <returns>False when the frame was dropped.</returns>
    protected abstract bool TrySendFrame(in EncodedVideo frame, long captureUs);

    /// <summary>Frames are left out until a key frame.</summary>
    protected bool NeedsKeyFrame => _needsKeyFrame;

    protected virtual void OnDropped() => WantKeyFrame();

    protected void NotifyChanged() => Changed?.Invoke();

    protected void WantKeyFrame() => KeyFrameWanted?.Invoke(this);
}
