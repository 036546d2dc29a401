using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using Oriel.WebRtc.Sctp;
using Oriel.WebRtc.Srtp;

namespace Oriel.WebRtc.Dtls;

/// <summary>What a handshake ended with: keys, or the reason why there are none.</summary>
internal sealed record DtlsOutcome(SrtpProfile? Profile, byte[]? KeyingMaterial, DtlsTransport? Transport, string? Failure);

/// <summary>
/// One peer's DTLS. The handshake runs on a thread of its own, since BouncyCastle blocks; afterwards that thread is gone, the peer's loop
/// polls, and the loop and SCTP send, under a lock.
/// </summary>
internal sealed class DtlsSession : IDisposable
{
    private readonly DtlsDatagrams _datagrams;
    private readonly Lock _sending = new();
    private readonly byte[] _buffer = new byte[2048];
    private volatile DtlsTransport? _transport;

    public DtlsSession(Action<ReadOnlySpan<byte>> send) => _datagrams = new DtlsDatagrams(send);

    public bool IsStarted { get; private set; }
    public bool IsEstablished => _transport is not null;

    /// <summary>Bytes of application data that fit one datagram.</summary>
    public int SendLimit => _transport?.GetSendLimit() ?? 0;

    /// <summary>Starts the handshake; <paramref name="done"/> is called on its thread, once.</summary>
    public void Start(DtlsCertificate certificate, CertificateFingerprint expected, Action<DtlsOutcome> done)
    {
        IsStarted = true;
        var thread = new Thread(() => done(Handshake(certificate, expected)), 512 * 1024) { IsBackground = true, Name = "webrtc-dtls" };
        thread.Start();
    }

    /// <summary>A datagram during the handshake.</summary>
    public void Enqueue(ReadOnlySpan<byte> datagram) => _datagrams.Enqueue(datagram);

    /// <summary>The loop's side takes the session over from the handshake's thread.</summary>
    public void Establish(DtlsTransport transport) => _transport = transport;

    /// <summary>Decrypts a datagram after the handshake. False: the peer closed the session, or it is broken.</summary>
    public bool Receive(ReadOnlySpan<byte> datagram, Action<ReadOnlySpan<byte>> onData)
    {
        _datagrams.Enqueue(datagram);
        return Receive(onData);
    }

    /// <summary>
    /// The same of what has come already: between the handshake's end and <see cref="Establish"/> nobody read, and no other datagram may
    /// follow.
    /// </summary>
    public bool Receive(Action<ReadOnlySpan<byte>> onData)
    {
        try
        {
            while (true)
            {
                var length = _transport!.Receive(_buffer, 0, _buffer.Length, 1);
                if (length < 0)
                {
                    return !_datagrams.IsClosed;
                }

                onData(_buffer.AsSpan(0, length));
            }
        }
        catch (TlsTimeoutException)
        {
            return !_datagrams.IsClosed; // the queue is empty
        }
        catch (Exception e) when (e is IOException or TlsException)
        {
            return false;
        }
    }

    /// <summary>Sends application data, from any thread; dropped when the session is not established.</summary>
    public void Send(ReadOnlySpan<byte> data)
    {
        try
        {
            lock (_sending)
            {
                _transport?.Send(data);
            }
        }
        catch (IOException)
        {
            // closed under us; the receiving side reports it
        }
    }

    public void Dispose()
    {
        try
        {
            _transport?.Close(); // sends close_notify
        }
        catch (IOException)
        {
            // nobody listens any more
        }

        _datagrams.Close();
    }

    private DtlsOutcome Handshake(DtlsCertificate certificate, CertificateFingerprint expected)
    {
        var server = new SrtpTlsServer(new BcTlsCrypto(new SecureRandom()), certificate, expected);
        try
        {
            var transport = new DtlsServerProtocol().Accept(server, _datagrams);
            _datagrams.IsPolled = true;
            return new DtlsOutcome(server.Profile, server.KeyingMaterial, transport, null);
        }
        catch (Exception e)
        {
            // Whatever bytes of a stranger made it throw, it ends this handshake and not the process.
            return new DtlsOutcome(null, null, null, e.Message);
        }
    }
}
