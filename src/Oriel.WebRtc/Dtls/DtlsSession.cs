using Org.BouncyCastle.Tls;
using Oriel.WebRtc.Sctp;
using Oriel.WebRtc.Srtp;

namespace Oriel.WebRtc.Dtls;

/// <summary>The result of a handshake: keys, or the reason why there are none.</summary>
internal sealed record DtlsOutcome(SrtpProfile? Profile, byte[]? KeyingMaterial, DtlsTransport? Transport, string? Failure);

/// <summary>
/// One peer's DTLS. The handshake runs on its own thread because BouncyCastle blocks. Afterwards that thread is gone: the peer's loop
/// polls, and the loop and SCTP send under a lock. Records that no client would send, or that its keys did not protect, are ignored.
/// </summary>
internal sealed class DtlsSession : IDisposable
{
    private readonly DtlsDatagrams _datagrams;
    private readonly Lock _sending = new();
    private readonly byte[] _buffer = new byte[2048];
    private DtlsRecords? _records; // used by the handshake's thread, then by the loop
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

    /// <summary>Queues the wanted records of a datagram.</summary>
    public void Enqueue(ReadOnlySpan<byte> datagram)
    {
        if (!DtlsRecord.IsPlausible(datagram))
        {
            return;
        }

        // Unwanted records must not take up room in the queue.
        for (int length; !datagram.IsEmpty; datagram = datagram[length..])
        {
            length = DtlsRecord.LengthOf(datagram);
            if (DtlsRecord.IsWanted(datagram[..length]))
            {
                _datagrams.Enqueue(datagram[..length]);
            }
        }
    }

    /// <summary>Hands the session from the handshake's thread to the loop.</summary>
    public void Establish(DtlsTransport transport) => _transport = transport;

    /// <summary>Decrypts a datagram after the handshake. False when the peer closed the session or it is broken.</summary>
    public bool Receive(ReadOnlySpan<byte> datagram, Action<ReadOnlySpan<byte>> onData)
    {
        Enqueue(datagram);
        return Receive(onData);
    }

    /// <summary>
    /// The same for datagrams already queued. Nobody reads between the end of the handshake and <see cref="Establish"/>, and no other
    /// datagram may follow.
    /// </summary>
    public bool Receive(Action<ReadOnlySpan<byte>> onData)
    {
        try
        {
            // One receive may stop at forged records with others behind them.
            while (!_records!.IsEmpty && !_datagrams.IsClosed)
            {
                int length;
                lock (_sending)
                {
                    // A handshake message may make it resend its last flight unencrypted; nothing else may be sent meanwhile.
                    length = _transport!.Receive(_buffer, 0, _buffer.Length, 1);
                }

                if (length >= 0)
                {
                    onData(_buffer.AsSpan(0, length));
                }
            }

            return !_datagrams.IsClosed;
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

    /// <summary>Sends application data, from any thread; drops it when the session is not established.</summary>
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
        var server = new SrtpTlsServer(new SilentTlsCrypto(), certificate, expected);
        try
        {
            _records = new DtlsRecords(_datagrams, () => server.AwaitsFinished);
            var transport = new DtlsServerProtocol().Accept(server, _records);
            _datagrams.IsPolled = true;
            return new DtlsOutcome(server.Profile, server.KeyingMaterial, transport, null);
        }
        catch (Exception e)
        {
            // Whatever a stranger's bytes made it throw, only this handshake ends, not the process.
            return new DtlsOutcome(null, null, null, e.Message);
        }
    }
}
