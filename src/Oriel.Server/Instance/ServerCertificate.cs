using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Oriel.Server.Configuration;

namespace Oriel.Server.Instance;

/// <summary>The certificate that the server speaks HTTPS with: given, or a self-signed one kept in the data directory.</summary>
internal static class ServerCertificate
{
    private const int ValidDays = 825;
    private const int RenewDays = 30;

    /// <exception cref="IOException">What was given is none.</exception>
    public static X509Certificate2 Load(ServeOptions options, TimeProvider clock)
    {
        if (options.Certificate is { } certificate)
        {
            try
            {
                return X509Certificate2.CreateFromPemFile(certificate, options.CertificateKey);
            }
            catch (Exception e) when (e is CryptographicException or ArgumentException)
            {
                throw new IOException(
                    $"--cert {certificate}, --key {options.CertificateKey}: not a certificate and its private key in PEM: {e.Message}",
                    e
                );
            }
        }

        var path = options.Layout.Certificate;
        var now = clock.GetUtcNow();
        if (File.Exists(path))
        {
            var kept = X509Certificate2.CreateFromPemFile(path);
            if (
                kept.NotAfter.ToUniversalTime() > now.UtcDateTime.AddDays(RenewDays)
                && Names(options).All(name => kept.MatchesHostname(name))
            )
            {
                return kept;
            }

            kept.Dispose();
        }

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = Make(options, key, now);
        PrivateFile.Write(
            path,
            System.Text.Encoding.ASCII.GetBytes(made.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n")
        );
        return X509Certificate2.CreateFromPemFile(path);
    }

    /// <summary>SHA-256 in the form that browsers show.</summary>
    public static string Fingerprint(X509Certificate2 certificate) =>
        string.Join(
            ':',
            certificate
                .GetCertHash(HashAlgorithmName.SHA256)
                .Select(b => b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture))
        );

    private static IEnumerable<string> Names(ServeOptions options) =>
        new[] { "localhost" }
            .Concat(options.Hosts)
            .Concat(options.PublicAddresses.Select(a => a.ToString()))
            .Concat(options.Bind.Equals(IPAddress.Any) || options.Bind.Equals(IPAddress.IPv6Any) ? [] : [options.Bind.ToString()]);

    private static X509Certificate2 Make(ServeOptions options, ECDsa key, DateTimeOffset now)
    {
        var request = new CertificateRequest("CN=Oriel", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var name in Names(options))
        {
            if (IPAddress.TryParse(name, out var address))
            {
                names.AddIpAddress(address);
            }
            else
            {
                names.AddDnsName(name);
            }
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(ValidDays));
    }
}
