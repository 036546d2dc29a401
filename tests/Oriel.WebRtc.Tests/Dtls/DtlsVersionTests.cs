using System.Security.Cryptography;
using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using Oriel.WebRtc.Dtls;

namespace Oriel.WebRtc.Tests.Dtls;

/// <summary>A real client of one version against the peer's own handshake.</summary>
public sealed class DtlsVersionTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Handshake_ClientOf12_IsMadeWithKeysForSrtp()
    {
        var (server, client) = await HandshakeAsync(ProtocolVersion.DTLSv12);

        Assert.Null(client);
        Assert.Null(server.Failure);
        Assert.NotNull(server.KeyingMaterial);
        Assert.NotNull(server.Transport);
    }

    [Fact]
    public async Task Handshake_ClientOf10_IsRefusedForItsVersion()
    {
        var (server, client) = await HandshakeAsync(ProtocolVersion.DTLSv10);

        Assert.Contains("protocol_version", server.Failure);
        Assert.Contains("protocol_version", Assert.IsType<TlsFatalAlertReceived>(client).Message);
    }

    private static async Task<(DtlsOutcome Server, Exception? Client)> HandshakeAsync(ProtocolVersion version)
    {
        var own = DtlsCertificate.Create(DateTimeOffset.UtcNow);
        DtlsDatagrams? toClient = null;
        using var server = new DtlsSession(datagram => toClient!.Enqueue(datagram));
        toClient = new DtlsDatagrams(server.Enqueue);
        var done = new TaskCompletionSource<DtlsOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Start(DtlsCertificate.Create(DateTimeOffset.UtcNow), new CertificateFingerprint(HashAlgorithmName.SHA256, SHA256.HashData(own.Der)), done.SetResult);
        var client = Task.Factory.StartNew(
            () => Record.Exception(() => { _ = new DtlsClientProtocol().Connect(new Client(own, version), toClient); }),
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        return (await done.Task.WaitAsync(Deadline, TestContext.Current.CancellationToken), await client.WaitAsync(Deadline, TestContext.Current.CancellationToken));
    }

    private sealed class Client(DtlsCertificate own, ProtocolVersion version) : DefaultTlsClient(new BcTlsCrypto(new SecureRandom()))
    {
        protected override ProtocolVersion[] GetSupportedVersions() => version.Only();

        protected override int[] GetSupportedCipherSuites() => version.Equals(ProtocolVersion.DTLSv12)
            ? [CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
            : [CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA];

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

        public TlsCredentials GetClientCredentials(CertificateRequest certificateRequest) => new BcDefaultTlsCredentialedSigner(
            new TlsCryptoParameters(context), crypto, own.Key, new Certificate([new BcTlsCertificate(crypto, own.Der)]),
            new SignatureAndHashAlgorithm(Org.BouncyCastle.Tls.HashAlgorithm.sha256, SignatureAlgorithm.ecdsa));
    }
}
