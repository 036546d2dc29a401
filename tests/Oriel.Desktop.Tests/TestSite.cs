using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Oriel.Desktop.Tests;

/// <summary>
/// The outside world of the ring: an HTTPS site, with a CA of its own, that only a desktop's proxy leads to. Its one page is a single
/// colour, which changes with what the page is given: so input is seen in the video.
/// </summary>
public sealed class TestSite : IAsyncDisposable
{
    public const string Host = "site.test";

    /// <summary>Colours of the page: as loaded, after a click, after the key x, after a turn of the wheel.</summary>
    public static readonly (int R, int G, int B) Loaded = (20, 120, 200),
        Clicked = (200, 40, 160),
        Keyed = (30, 160, 60),
        Wheeled = (230, 140, 10);

    private const string Page = """
        <!doctype html><title>Test site</title>
        <style>html,body{margin:0;height:100%;background:rgb(20,120,200)} textarea{position:absolute;left:40%;top:40%;width:20%;height:20%;opacity:0}</style>
        <textarea id=t autofocus></textarea>
        <script>
          const paint = c => document.body.style.background = document.documentElement.style.background = c;
          const tell = (kind, value) => fetch('/told?kind=' + kind, { method: 'POST', body: value ?? '' });
          addEventListener('mousedown', e => { paint('rgb(200,40,160)'); tell('click', e.button + ' ' + e.clientX + ' ' + e.clientY + (e.shiftKey ? ' shift' : ' plain')); t.focus(); e.preventDefault(); });
          addEventListener('keydown', e => { if (e.key === 'x') paint('rgb(30,160,60)'); tell('key', e.key); });
          addEventListener('wheel', e => { paint('rgb(230,140,10)'); tell('wheel', String(e.deltaY)); });
          t.addEventListener('input', () => tell('text', t.value));
          addEventListener('load', () => tell('load', location.search));
        </script>
        """;

    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Kind, string Value)> _told = new();

    private TestSite(WebApplication app, string authority)
    {
        _app = app;
        Authority = authority;
        app.MapGet("/", () => Results.Content(Page, "text/html"));
        app.MapPost(
            "/told",
            async (HttpContext context) =>
            {
                using var reader = new StreamReader(context.Request.Body);
                _told.Enqueue((context.Request.Query["kind"].ToString(), await reader.ReadToEndAsync()));
                return Results.NoContent();
            }
        );
        app.MapGet("/plain", () => "plain");
        app.MapGet("/photograph", () => Results.Content(Photograph.Page, "text/html"));
        app.MapGet("/photograph.bmp", () => Results.Bytes(Photograph.Bitmap(), "image/bmp"));
        DebianRepository.Map(app);
        ProgramSite.Map(app);
    }

    /// <summary>PEM of the CA; a desktop that is to open the site gets it by <c>trust</c>.</summary>
    public string Authority { get; }

    public int Port { get; private set; }

    public string Url => $"https://{Host}:{Port}/";

    /// <summary>The server options that lead desktops here.</summary>
    public static string[] ServerOptions =>
        [
            "--egress-allow",
            "127.0.0.0/8",
            .. Mirror,
            "--egress-host",
            $"{Host}=127.0.0.1",
            "--egress-host",
            $"{IdentityProvider.Host}=127.0.0.1",
        ];

    /// <summary>Debian's mirror, by which the image was made, may be one of this network's own.</summary>
    private static string[] Mirror =>
        [
            .. Dns.GetHostAddresses("deb.debian.org")
                .SelectMany(address => (string[])["--egress-allow", $"{address}/{8 * address.GetAddressBytes().Length}"]),
        ];

    public static async Task<TestSite> StartAsync()
    {
        var (authority, leaf) = MakeCertificates(Host, IdentityProvider.Host);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(leaf)));
        IdentityProvider.AddServices(builder.Services);
        var site = new TestSite(builder.Build(), authority);
        IdentityProvider.Map(site._app);
        await site._app.StartAsync();
        site.Port = new Uri(
            site._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()
        ).Port;
        return site;
    }

    /// <summary>Waits until the page has told something; the deadline names all that it told.</summary>
    public Task ToldAsync(string kind, Func<string, bool> wanted, int seconds = 60) =>
        OrielServer.EventuallyAsync(
            () =>
                Task.FromResult(
                    _told.Any(told => told.Kind == kind && wanted(told.Value))
                        ? null
                        : $"The page has not told a wanted {kind}; it told: {string.Join(", ", _told)}"
                ),
            TimeSpan.FromSeconds(seconds)
        );

    public bool HasTold(string kind, Func<string, bool> wanted) => _told.Any(told => told.Kind == kind && wanted(told.Value));

    public void Forget() => _told.Clear();

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private static (string AuthorityPem, X509Certificate2 Leaf) MakeCertificates(params string[] hosts)
    {
        var now = DateTimeOffset.UtcNow;
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Oriel test ring CA", authorityKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        using var authority = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));

        using var leafKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var leafRequest = new CertificateRequest($"CN={hosts[0]}", leafKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
        {
            names.AddDnsName(host);
        }

        leafRequest.CertificateExtensions.Add(names.Build());
        // Python is strict about RFC 5280 section 4.2.1.1.
        leafRequest.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, true, false));
        leafRequest.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        using var leaf = leafRequest.Create(authority, now.AddDays(-1), now.AddDays(20), RandomNumberGenerator.GetBytes(16));
        using var withKey = leaf.CopyWithPrivateKey(leafKey);
        return (authority.ExportCertificatePem(), X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null));
    }
}
