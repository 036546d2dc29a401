namespace Oriel.WebRtc;

#pragma warning disable CS0067 // raised from the next commit on
/// <summary>One browser. All members may be called from any thread; events come from the peer's own loop, one at a time.</summary>
public sealed class PeerConnection : IAsyncDisposable
{
    private readonly TaskCompletionSource<CloseReason> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PeerOptions _options;

    internal PeerConnection(PeerOptions options) => _options = options;

    public string Id { get; } = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8));
    public PeerState State { get; private set; }
    public event Action<PeerState>? StateChanged;

    /// <summary>Completes once, with why.</summary>
    public Task<CloseReason> Closed => _closed.Task;

    /// <summary>Takes the peer's offer and returns the answer; throws <see cref="SdpException"/>. A second offer with new ICE credentials restarts ICE.</summary>
    public string AcceptOffer(string sdp) => throw new SdpException("No codec is available.");

    /// <summary>This side's offer.</summary>
    public string CreateOffer() => throw new InvalidOperationException("No codec is available.");

    /// <summary>The answer to <see cref="CreateOffer"/>; throws <see cref="SdpException"/>.</summary>
    public void AcceptAnswer(string sdp) => throw new SdpException("No offer was made.");

    /// <summary>A trickled fragment (RFC 8840). New credentials restart ICE, without a new DTLS session, and give the fragment to return; candidates only give null.</summary>
    public string? PatchIce(string sdpFragment) => null;

    /// <summary>This side's candidates, as in "candidate:…".</summary>
    public IReadOnlyList<string> Candidates { get; } = [];

    /// <summary>Null until negotiated.</summary>
    public VideoCodec? Codec { get; private set; }

    /// <summary>Packetizes and paces; never blocks. Drops the frame when not connected or when the queue is over its bound (and then asks for a key frame).</summary>
    public void SendFrame(in EncodedVideo frame) { }

    /// <summary>The peer needs a key frame; throttled by <see cref="PeerOptions.KeyFrameInterval"/>.</summary>
    public event Action? KeyFrameRequested;

    /// <summary>Bits a second that the encoder should make.</summary>
    public event Action<int>? TargetBitrateChanged;

    /// <summary>The peer has opened a data channel; its messages come only after the handlers have returned.</summary>
    public event Action<DataChannel>? DataChannelOpened;

    public PeerStats GetStats() => new() { State = State, TargetBitrate = _options.StartBitrate };

    public ValueTask DisposeAsync()
    {
        State = PeerState.Closed;
        _closed.TrySetResult(CloseReason.Local);
        return ValueTask.CompletedTask;
    }
}
