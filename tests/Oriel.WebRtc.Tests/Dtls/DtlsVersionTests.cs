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
        using var session = new Session();
        var (server, client) = await session.HandshakeAsync(ProtocolVersion.DTLSv12);

        Assert.Null(client);
        Assert.Null(server.Failure);
        Assert.NotNull(server.KeyingMaterial);
        Assert.NotNull(server.Transport);
    }

    /// <summary>A page that goes at once sends its last words before the peer's loop has taken over from the handshake's thread.</summary>
    [Fact]
    public async Task Establish_WhatCameMeanwhile_IsReadWithoutAnotherDatagram()
    {
        using var session = new Session();
        var (server, _) = await session.HandshakeAsync(ProtocolVersion.DTLSv12);
        session.Client!.Send("last words"u8);
        session.Client.Close();

        session.Server.Establish(server.Transport!);
        var heard = "";
        Assert.False(session.Server.Receive(data => heard += System.Text.Encoding.ASCII.GetString(data)));
        Assert.Equal("last words", heard);
    }

    [Fact]
    public async Task Handshake_ClientOf10_IsRefusedForItsVersion()
    {
        using var session = new Session();
        var (server, client) = await session.HandshakeAsync(ProtocolVersion.DTLSv10);

        Assert.Contains("protocol_version", server.Failure);
        Assert.Contains("protocol_version", Assert.IsType<TlsFatalAlertReceived>(client).Message);
    }

    private sealed class Session : IDisposable
    {
        private readonly DtlsCertificate _own = DtlsCertificate.Create(DateTimeOffset.UtcNow);
        private readonly DtlsDatagrams _toClient;

        public Session()
        {
            DtlsDatagrams? toClient = null;
            Server = new DtlsSession(datagram => toClient!.Enqueue(datagram));
            _toClient = toClient = new DtlsDatagrams(Server.Enqueue);
        }

        public DtlsSession Server { get; }

        public DtlsTransport? Client { get; private set; }

        public async Task<(DtlsOutcome Server, Exception? Client)> HandshakeAsync(ProtocolVersion version)
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
                        Client = new DtlsClientProtocol().Connect(new DtlsVersionTests.Client(_own, version), _toClient);
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

        public void Dispose()
        {
            Server.Dispose();
            _toClient.Close();
        }
    }

    private sealed class Client(DtlsCertificate own, ProtocolVersion version) : DefaultTlsClient(new BcTlsCrypto(new SecureRandom()))
    {
        protected override ProtocolVersion[] GetSupportedVersions() => version.Only();

        protected override int[] GetSupportedCipherSuites() =>
            version.Equals(ProtocolVersion.DTLSv12)
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
