using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Server;

/// <summary>A server that listens beyond loopback.</summary>
public sealed class BeyondLoopbackTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(ServerInNamespace.Address4)]
    [InlineData(ServerInNamespace.Address6)]
    public async Task Serve_WithoutACertificate_MakesOneAndPrintsTheFingerprintOfTheOneServed(string address)
    {
        await using var server = await ServerInNamespace.StartAsync("--bind", address, "--public-address", address);
        var (client, shown) = server.Client(address);
        using (client)
        {
            using var page = await client.GetAsync("/signin", Token);

            Assert.Equal("https", server.Url.Scheme);
            Assert.Equal(200, (int)page.StatusCode);
            var fingerprint = string.Join(':', shown()!.GetCertHash(HashAlgorithmName.SHA256).Select(b => $"{b:X2}"));
            Assert.Contains($"Certificate (SHA-256): {fingerprint}", server.Output);
            Assert.True(shown()!.MatchesHostname(address), shown()!.ToString());
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(server.Layout.Certificate));
        }
    }

    [Fact]
    public async Task Serve_WithACertificate_ServesThatOne()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var given = new CertificateRequest("CN=desk.example", key, HashAlgorithmName.SHA256).CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1),
            DateTimeOffset.UtcNow.AddDays(1)
        );
        var place = Directory.CreateTempSubdirectory("oriel-cert-").FullName;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(place, "cert.pem"), given.ExportCertificatePem(), Token);
            await File.WriteAllTextAsync(Path.Combine(place, "key.pem"), key.ExportPkcs8PrivateKeyPem(), Token);
            await using var server = await ServerInNamespace.StartAsync(
                "--bind",
                ServerInNamespace.Address4,
                "--cert",
                Path.Combine(place, "cert.pem"),
                "--key",
                Path.Combine(place, "key.pem")
            );
            var (client, shown) = server.Client(ServerInNamespace.Address4);
            using (client)
            {
                using var page = await client.GetAsync("/signin", Token);

                Assert.Equal(200, (int)page.StatusCode);
                Assert.Equal(given.Thumbprint, shown()!.Thumbprint);
                Assert.False(File.Exists(server.Layout.Certificate));
            }
        }
        finally
        {
            Directory.Delete(place, recursive: true);
        }
    }

    [Fact]
    public async Task Serve_ToAnybody_GivesPlainHttpNothingAndOnlyTheSignInPage()
    {
        await using var server = await ServerInNamespace.StartAsync("--bind", ServerInNamespace.Address4);
        await using (var plain = server.Connect(ServerInNamespace.Address4, server.Url.Port))
        {
            await plain.WriteAsync("GET /signin HTTP/1.1\r\nHost: 203.0.113.5\r\nConnection: close\r\n\r\n"u8.ToArray(), Token);
            using var reader = new StreamReader(plain, Encoding.Latin1);
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
            deadline.CancelAfter(TimeSpan.FromSeconds(30));
            Assert.DoesNotContain("HTTP/", await reader.ReadToEndAsync(deadline.Token));
        }

        var (client, _) = server.Client(ServerInNamespace.Address4);
        using (client)
        {
            foreach (
                var (path, status) in ((string, int)[])
                    [
                        ("/", 302),
                        ("/signin", 200),
                        ("/desktops/d-aaaaaaaaaa", 302),
                        ("/api/session", 401),
                        ("/api/desktops", 401),
                        ("/openapi/v1.json", 401),
                        ("/health/live", 401),
                        ("/health/ready", 401),
                        ("/metrics", 401),
                    ]
            )
            {
                using var response = await client.GetAsync(path, Token);
                Assert.True(status == (int)response.StatusCode, $"{path}: {(int)response.StatusCode}");
            }

            var token = (await File.ReadAllTextAsync(server.Layout.Token, Token)).Trim();
            using var signedIn = await client.PostAsJsonAsync("/api/session", new { token }, Token);
            Assert.Equal(200, (int)signedIn.StatusCode);
            Assert.Contains("secure", signedIn.Headers.GetValues("Set-Cookie").Single(), StringComparison.OrdinalIgnoreCase);
        }
    }
}
