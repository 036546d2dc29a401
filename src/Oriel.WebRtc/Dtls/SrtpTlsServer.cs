using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using Oriel.WebRtc.Srtp;

namespace Oriel.WebRtc.Dtls;

/// <summary>
/// DTLS 1.2 server with use_srtp (RFC 5764), extended master secret (RFC 7627) and a client certificate checked against the SDP's
/// fingerprint.
/// </summary>
internal sealed class SrtpTlsServer(BcTlsCrypto crypto, DtlsCertificate certificate, CertificateFingerprint expected)
    : DefaultTlsServer(crypto)
{
    private static readonly int[] Suites =
    [
        CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    ];

    private SrtpProfile? _profile;

    public SrtpProfile? Profile => _profile;

    /// <summary>Client key, server key, client salt, server salt (RFC 5764 section 4.2); set when the handshake is done.</summary>
    public byte[]? KeyingMaterial { get; private set; }

    /// <summary>Whether all of the client's unencrypted messages have been processed. Read only on the handshake's thread.</summary>
    public bool AwaitsFinished => m_context.SecurityParameters.PeerVerifyData is not null;

    public override int GetHandshakeTimeoutMillis() => 20_000;

    // The first resend of a lost flight is after 100 ms: paths here are short.
    public override int GetHandshakeResendTimeMillis() => 100;

    public override bool RequiresExtendedMasterSecret() => true;

    protected override ProtocolVersion[] GetSupportedVersions() => ProtocolVersion.DTLSv12.Only();

    protected override int[] GetSupportedCipherSuites() => Suites;

    public override void ProcessClientExtensions(IDictionary<int, byte[]> clientExtensions)
    {
        base.ProcessClientExtensions(clientExtensions);
        var offered = TlsSrtpUtilities.GetUseSrtpExtension(clientExtensions)?.ProtectionProfiles ?? [];
        _profile =
            SrtpProfile.ByPreference.FirstOrDefault(p => offered.Contains(p.DtlsId))
            ?? throw new TlsFatalAlert(AlertDescription.insufficient_security);
    }

    public override IDictionary<int, byte[]> GetServerExtensions()
    {
        var extensions = TlsExtensionsUtilities.EnsureExtensionsInitialised(base.GetServerExtensions());
        TlsSrtpUtilities.AddUseSrtpExtension(extensions, new UseSrtpData([_profile!.DtlsId], []));
        return extensions;
    }

    public override CertificateRequest GetCertificateRequest() =>
        new(
            [ClientCertificateType.ecdsa_sign, ClientCertificateType.rsa_sign],
            TlsUtilities.GetDefaultSupportedSignatureAlgorithms(m_context),
            null
        );

    public override void NotifyClientCertificate(Certificate clientCertificate)
    {
        if (clientCertificate is null || clientCertificate.IsEmpty || !expected.Matches(clientCertificate.GetCertificateAt(0).GetEncoded()))
        {
            throw new TlsFatalAlert(AlertDescription.bad_certificate);
        }
    }

    public override void NotifyHandshakeComplete()
    {
        base.NotifyHandshakeComplete();
        KeyingMaterial = m_context.ExportKeyingMaterial(ExporterLabel.dtls_srtp, null, 2 * (_profile!.KeyLength + _profile.SaltLength));
    }

    protected override TlsCredentialedSigner GetECDsaSignerCredentials()
    {
        var chain = new Certificate([new BcTlsCertificate(crypto, certificate.Der)]);
        return new BcDefaultTlsCredentialedSigner(
            new TlsCryptoParameters(m_context),
            crypto,
            certificate.Key,
            chain,
            new SignatureAndHashAlgorithm(HashAlgorithm.sha256, SignatureAlgorithm.ecdsa)
        );
    }
}
