using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Oriel.Agent.Accounts;
using Oriel.Agent.Variables;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Configuration;

internal sealed record PlannedFile(string Path, ReadOnlyMemory<byte> Content, uint Mode, FileOwner Owner);

/// <summary>A configure request of which every part has been found valid; nothing has been done yet.</summary>
internal sealed record ConfigurationPlan(
    IReadOnlyList<PlannedFile> Files,
    IReadOnlyDictionary<string, string> Environment,
    string Hostname,
    string TimeZone,
    KeyboardLayout Layout,
    int Width,
    int Height,
    IReadOnlyList<string> TrustedPems,
    Uri? StartUrl,
    long WallClockUs,
    ReadOnlyMemory<byte> Entropy
)
{
    /// <summary>What a desktop has that asks for nothing else: as the image is, and as a warm session runs already.</summary>
    public const string DefaultLayout = "us";

    private const int MaxModeBits = 0xfff;
    private const int MaxHostnameLength = 64; // HOST_NAME_MAX of Linux
    private const int MinScreen = 200,
        MaxScreenWidth = 3840,
        MaxScreenHeight = 2160;

    /// <returns>The plan, or every fault found (at most 20), each naming its field.</returns>
    public static (ConfigurationPlan? Plan, IReadOnlyList<string> Faults) Create(
        ConfigureRequest request,
        UserAccount user,
        SystemCatalog catalog,
        string bootHostname
    )
    {
        List<string> faults = [];
        var files = PlanFiles(request, user, faults);
        faults.AddRange(GuestRules.EnvironmentProblems(request.Env));
        var hostname = request.Hostname.Length > 0 ? request.Hostname : bootHostname;
        if (!IsHostname(hostname))
        {
            faults.Add("hostname: not a host name (RFC 1123; at most 64 characters)");
        }

        var zone = request.TimeZone.Length > 0 ? request.TimeZone : SessionEnvironment.DefaultTimeZone;
        if (!catalog.HasTimeZone(zone))
        {
            faults.Add("time_zone: the guest has no such time zone");
        }

        var layout = KeyboardLayout.TryParse(request.KeyboardLayout.Length > 0 ? request.KeyboardLayout : DefaultLayout);
        if (layout is null || !catalog.HasLayout(layout.Value))
        {
            faults.Add("keyboard_layout: the guest has no such XKB layout");
        }

        var (width, height) = (request.Width == 0 ? 1280 : request.Width, request.Height == 0 ? 720 : request.Height);
        if (width is < MinScreen or > MaxScreenWidth || height is < MinScreen or > MaxScreenHeight)
        {
            faults.Add($"width, height: from {MinScreen}x{MinScreen} to {MaxScreenWidth}x{MaxScreenHeight}");
        }

        var trusted = PlanTrust(request, faults);
        var url = PlanStartUrl(request.StartUrl, faults);
        if (request.Entropy.Length > GuestRules.MaxEntropyBytes)
        {
            faults.Add($"entropy: more than {GuestRules.MaxEntropyBytes} bytes");
        }

        if (request.WallClockUs < 0)
        {
            faults.Add("wall_clock_us: before 1970");
        }

        return faults.Count > 0
            ? (null, [.. faults.Take(20)])
            : (
                new ConfigurationPlan(
                    files,
                    new SortedDictionary<string, string>(request.Env, StringComparer.Ordinal),
                    hostname,
                    zone,
                    layout!.Value,
                    (int)width,
                    (int)height,
                    trusted,
                    url,
                    request.WallClockUs,
                    request.Entropy.Memory
                ),
                []
            );
    }

    internal static bool IsHostname(string name) =>
        name.Length is > 0 and <= MaxHostnameLength
        && name.Split('.')
            .All(label =>
                label.Length is > 0 and <= 63
                && label.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')
                && label[0] != '-'
                && label[^1] != '-'
            );

    private static List<PlannedFile> PlanFiles(ConfigureRequest request, UserAccount user, List<string> faults)
    {
        List<PlannedFile> files = [];
        if (request.Files.Count > GuestRules.MaxFiles)
        {
            faults.Add($"files: more than {GuestRules.MaxFiles}");
            return files;
        }

        if (request.Files.Sum(file => (long)file.Content.Length) > GuestRules.MaxFileBytes)
        {
            faults.Add($"files: more than {GuestRules.MaxFileBytes} bytes in total");
        }

        HashSet<string> seen = new(StringComparer.Ordinal);
        for (var i = 0; i < request.Files.Count; i++)
        {
            var file = request.Files[i];
            var fault =
                GuestRules.PathProblem(file.Path)
                ?? (seen.Add(file.Path) ? null : "the path is given twice")
                ?? (GuestRules.IsWrittenFromVariables(file.Path) ? "this file is written from env" : null)
                ?? (file.Mode > MaxModeBits ? "the mode has bits beyond 07777" : null);
            var owner = FileOwner.TryParse(file.Owner, user);
            fault ??= owner is null ? "the owner is not user, root or uid:gid" : null;
            if (fault is not null)
            {
                faults.Add($"files[{i}]: {fault}");
                continue;
            }

            files.Add(new PlannedFile(file.Path, file.Content.Memory, file.Mode == 0 ? GuestRules.DefaultMode : file.Mode, owner!.Value));
        }

        if (GuestRules.InsideAnother(seen) is { } inside)
        {
            faults.Add($"files: {inside} lies inside another file of the request");
        }

        return files;
    }

    private static List<string> PlanTrust(ConfigureRequest request, List<string> faults)
    {
        List<string> pems = [];
        if (request.Trust.Count > GuestRules.MaxTrusted)
        {
            faults.Add($"trust: more than {GuestRules.MaxTrusted} certificates");
            return pems;
        }

        for (var i = 0; i < request.Trust.Count; i++)
        {
            var fault = TryReadAuthority(request.Trust[i].Span, out var pem);
            if (fault is null)
            {
                pems.Add(pem);
            }
            else
            {
                faults.Add($"trust[{i}]: {fault}");
            }
        }

        return pems;
    }

    private static string? TryReadAuthority(ReadOnlySpan<byte> bytes, out string pem)
    {
        pem = "";
        if (bytes.Length > GuestRules.MaxTrustedBytes)
        {
            return $"larger than {GuestRules.MaxTrustedBytes} bytes";
        }

        var text = System.Text.Encoding.ASCII.GetString(bytes);
        if (!PemEncoding.TryFind(text, out var fields) || text[fields.Label] != "CERTIFICATE")
        {
            return "not a PEM certificate";
        }

        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(Convert.FromBase64String(text[fields.Base64Data]));
            pem = certificate.ExportCertificatePem() + "\n";
            return certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(e => e.CertificateAuthority)
                ? null
                : "not the certificate of a CA";
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            return "not a readable X.509 certificate";
        }
    }

    private static Uri? PlanStartUrl(string text, List<string> faults)
    {
        if (text.Length == 0)
        {
            return null;
        }

        if (
            text.Length <= GuestRules.MaxUrlLength
            && Uri.TryCreate(text, UriKind.Absolute, out var url)
            && url.Scheme is "http" or "https"
            && !text.Any(char.IsControl)
        )
        {
            return url;
        }

        faults.Add($"start_url: not an http or https URL of at most {GuestRules.MaxUrlLength} characters");
        return null;
    }
}
