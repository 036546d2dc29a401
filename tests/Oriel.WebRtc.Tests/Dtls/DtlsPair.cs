using System.Security.Cryptography;
using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using Oriel.WebRtc.Dtls;

namespace Oriel.WebRtc.Tests.Dtls;

/// <summary>A peer's own session and a real client, with a wire between them that a test may put more on.</summary>
internal sealed class DtlsPair : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly DtlsCertificate _own = DtlsCertificate.Create(DateTimeOffset.UtcNow);
    private readonly DtlsDatagrams _toClient;

    /// <param name="forge">Called before each of the client's datagrams goes to the server.</param>
    public DtlsPair(Action<DtlsSession>? forge = null)
    {
        DtlsDatagrams? toClient = null;
        Server = new DtlsSession(datagram => toClient!.Enqueue(datagram));
        _toClient = toClient = new DtlsDatagrams(datagram =>
        {
            if (IsEstablished)
            {
                Sent.Add(datagram.ToArray());
                return;
            }

            forge?.Invoke(Server);
            Server.Enqueue(datagram);
        });
    }

    public DtlsSession Server { get; }

    public DtlsTransport? Client { get; private set; }

    /// <summary>What the client has sent since the server's loop took over.</summary>
    public List<byte[]> Sent { get; } = [];

    /// <summary>From here on the test hands the client's datagrams on.</summary>
    public bool IsEstablished { get; private set; }

    public async Task<(DtlsOutcome Server, Exception? Client)> HandshakeAsync(ProtocolVersion version, int? suite = null)
    {
        var done = new TaskCompletionSource<DtlsOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        Server.Start(
            DtlsCertificate.Create(DateTimeOffset.UtcNow),
            new CertificateFingerprint(HashAlgorithmName.SHA256, SHA256.HashData(_own.Der)),
            done.SetResult
        );
        var client = Task.Factory.StartNew(
            () =>
                Record.Exception(() =>
                {
                    Client = new DtlsClientProtocol().Connect(new TlsClient(_own, version, suite), _toClient);
                }),
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default
        );
        return (
            await done.Task.WaitAsync(Deadline, TestContext.Current.CancellationToken),
            await client.WaitAsync(Deadline, TestContext.Current.CancellationToken)
        );
    }

    public void Establish(DtlsTransport transport)
    {
        Server.Establish(transport);
        IsEstablished = true;
    }

    public void Dispose()
    {
        Server.Dispose();
        _toClient.Close();
    }

    private sealed class TlsClient(DtlsCertificate own, ProtocolVersion version, int? suite)
        : DefaultTlsClient(new BcTlsCrypto(new SecureRandom()))
    {
        protected override ProtocolVersion[] GetSupportedVersions() => version.Only();

        protected override int[] GetSupportedCipherSuites() =>
            [
                suite
                    ?? (
                        version.Equals(ProtocolVersion.DTLSv12)
                            ? CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                            : CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA
                    ),
            ];

        public override IDictionary<int, byte[]> GetClientExtensions()
        {
            var extensions = TlsExtensionsUtilities.EnsureExtensionsInitialised(base.GetClientExtensions());
            TlsSrtpUtilities.AddUseSrtpExtension(extensions, new UseSrtpData([SrtpProtectionProfile.SRTP_AEAD_AES_128_GCM], []));
            return extensions;
        }

        public override TlsAuthentication GetAuthentication() => new Credentials((BcTlsCrypto)Crypto, m_context, own);
    }

    private sealed class Credentials(BcTlsCrypto crypto, TlsClientContext context, DtlsCertificate own) : TlsAuthentication
    {
        public void NotifyServerCertificate(TlsServerCertificate serverCertificate)
        {
            // Its fingerprint comes by SDP, which there is none of here.
        }

        public TlsCredentials GetClientCredentials(CertificateRequest certificateRequest) =>
            new BcDefaultTlsCredentialedSigner(
                new TlsCryptoParameters(context),
                crypto,
                own.Key,
                new Certificate([new BcTlsCertificate(crypto, own.Der)]),
                new SignatureAndHashAlgorithm(Org.BouncyCastle.Tls.HashAlgorithm.sha256, SignatureAlgorithm.ecdsa)
            );
    }
}
