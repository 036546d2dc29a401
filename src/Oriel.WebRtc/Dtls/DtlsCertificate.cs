using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Security;

namespace Oriel.WebRtc.Dtls;

/// <summary>The endpoint's self-signed ECDSA P-256 certificate. Peers identify it by the fingerprint in the SDP (RFC 8122).</summary>
internal sealed class DtlsCertificate
{
    private DtlsCertificate(byte[] der, AsymmetricKeyParameter key)
    {
        Der = der;
        Key = key;
        Fingerprint = Convert.ToHexString(SHA256.HashData(der)).Chunk(2).Select(pair => new string(pair)).Aggregate((a, b) => a + ":" + b);
    }

    public byte[] Der { get; }
    public AsymmetricKeyParameter Key { get; }
    public string Fingerprint { get; }

    /// <summary>Valid for a year. It starts a day ago because browsers' clocks differ.</summary>
    public static DtlsCertificate Create(DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=oriel", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(365));
        return new DtlsCertificate(certificate.RawData, PrivateKeyFactory.CreateKey(key.ExportPkcs8PrivateKey()));
    }
}
