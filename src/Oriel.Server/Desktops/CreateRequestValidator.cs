using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using Oriel.Desktops.Attestation;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Templates;
using Oriel.Protocol;

namespace Oriel.Server.Desktops;

/// <summary>Turns a request and its template into a spec, or says what is wrong with it.</summary>
internal static partial class CreateRequestValidator
{
    private const int MaxName = 64;

    public static (DesktopSpec? Spec, string? Error) Validate(CreateDesktopRequest request, DesktopTemplate template)
    {
        var name = request.Name ?? DesktopSpec.DefaultName;
        var hostname = request.Hostname ?? HostnameOf(name);
        var files = new List<FileSpec>();
        var trust = new List<byte[]>();
        var policy = request.Egress ?? template.Egress;
        var error =
            CheckName(name)
            ?? Range("width", request.Width, DesktopTemplate.MinWidth, DesktopTemplate.MaxWidth)
            ?? Range("height", request.Height, DesktopTemplate.MinHeight, DesktopTemplate.MaxHeight)
            ?? (
                HostnamePattern().IsMatch(hostname)
                    ? null
                    : "hostname must be 1 to 63 letters, digits and hyphens, and begin and end with none of the latter"
            )
            ?? CheckTimeZone(request.TimeZone)
            ?? (
                LayoutPattern().IsMatch(request.KeyboardLayout ?? DesktopSpec.DefaultKeyboardLayout)
                    ? null
                    : "keyboardLayout must be an XKB layout, such as us or de(nodeadkeys)"
            )
            ?? CheckUrl(request.StartUrl)
            ?? Range("ttl", request.Ttl, 1, DesktopTemplate.MaxSeconds)
            ?? Range("idleTimeout", request.IdleTimeout, 1, DesktopTemplate.MaxSeconds)
            ?? Range("idlePause", request.IdlePause, 1, DesktopTemplate.MaxSeconds)
            ?? CheckEnvironment(request.Env)
            ?? ReadFiles(request.Files, files)
            ?? ReadTrust(request.Trust, trust)
            ?? (policy.Validate() is { } wrong ? "egress: " + wrong : null);
        if (error is not null)
        {
            return (null, error);
        }

        return (
            DesktopSpec.Of(template) with
            {
                Name = name,
                Width = request.Width ?? template.Width,
                Height = request.Height ?? template.Height,
                Hostname = hostname,
                TimeZone = request.TimeZone ?? DesktopSpec.DefaultTimeZone,
                KeyboardLayout = request.KeyboardLayout ?? DesktopSpec.DefaultKeyboardLayout,
                StartUrl = request.StartUrl ?? "",
                Files = files,
                Environment = request.Env ?? new Dictionary<string, string>(),
                Trust = trust,
                Egress = policy,
                Ttl = request.Ttl is { } ttl ? TimeSpan.FromSeconds(ttl) : template.Ttl,
                IdleTimeout = request.IdleTimeout is { } idle ? TimeSpan.FromSeconds(idle) : template.IdleTimeout,
                IdlePause = request.IdlePause is { } pause ? TimeSpan.FromSeconds(pause) : template.IdlePause,
            },
            null
        );
    }

    /// <summary>Permission bits from octal text; null when it is none.</summary>
    public static uint? ReadMode(string? mode)
    {
        if (mode is null)
        {
            return GuestRules.DefaultMode;
        }

        return ModePattern().IsMatch(mode) && Convert.ToUInt32(mode, 8) is > 0 and var bits ? bits : null;
    }

    public static bool IsOwner(string owner) => OwnerPattern().IsMatch(owner);

    public static string? CheckEnvironment(IReadOnlyDictionary<string, string>? env) =>
        env is null
            ? null
            : GuestRules.EnvironmentProblems(env).FirstOrDefault()
                ?? (
                    env.Keys.FirstOrDefault(ExpectedEnvironment.ProxyNames.Contains) is { } name
                        ? $"env: {name} is set by Oriel; what a desktop may reach is set by egress"
                        : null
                );

    public static string ForkName(string name)
    {
        const string Suffix = " (fork)";
        if (name.EndsWith(Suffix, StringComparison.Ordinal))
        {
            return name;
        }

        var length = Math.Min(name.Length, MaxName - Suffix.Length);
        return name[..(char.IsHighSurrogate(name[length - 1]) ? length - 1 : length)] + Suffix;
    }

    public static string? CheckName(string name) =>
        name.Length is 0 or > MaxName || name.Any(char.IsControl) || string.IsNullOrWhiteSpace(name)
            ? $"name must have 1 to {MaxName} characters, none of them control characters"
            : null;

    private static string? Range(string what, int? value, int least, int most) =>
        value is null || (value >= least && value <= most) ? null : $"{what} must be {least} to {most}";

    /// <summary>Its form; whether the image knows it is asked when there is one.</summary>
    private static string? CheckTimeZone(string? zone) =>
        zone is null || ZonePattern().IsMatch(zone) ? null : "timeZone must be an IANA time zone, such as Europe/Paris";

    private static string? CheckUrl(string? url) =>
        string.IsNullOrEmpty(url)
        || (
            url.Length <= GuestRules.MaxUrlLength
            && Uri.TryCreate(url, UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https"
            && !url.Any(char.IsControl)
        )
            ? null
            : "startUrl must be an http or https URL";

    private static string? ReadFiles(IReadOnlyList<CreateFile>? asked, List<FileSpec> files)
    {
        if (asked?.Count > GuestRules.MaxFiles)
        {
            return $"files must be at most {GuestRules.MaxFiles}";
        }

        long total = 0;
        foreach (var file in asked ?? [])
        {
            if (file is null || GuestRules.PathProblem(file.Path) is not null)
            {
                return $"files: {(file is null ? "an entry must not be null" : GuestRules.PathProblem(file.Path))}";
            }

            if (file.Content is null)
            {
                return $"files: {file.Path} has no content (base64)";
            }

            if (ReadMode(file.Mode) is not { } mode)
            {
                return $"files: the mode of {file.Path} must be octal, such as 0644";
            }

            if (!IsOwner(file.Owner ?? "user"))
            {
                return $"files: the owner of {file.Path} must be user, root or uid:gid";
            }

            if (GuestRules.IsWrittenFromVariables(file.Path!))
            {
                return $"files: {file.Path} is written from env";
            }

            total += file.Content.Length;
            if (total > GuestRules.MaxFileBytes)
            {
                return $"files must have at most {GuestRules.MaxFileBytes} bytes together; put larger ones once the desktop is ready";
            }

            files.Add(new FileSpec(file.Path!, file.Content, mode, file.Owner ?? "user"));
        }

        var paths = files.Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        if (paths.Count != files.Count)
        {
            return "files: a path is there twice";
        }

        return GuestRules.InsideAnother(paths) is { } inside ? $"files: {inside} lies inside of another file" : null;
    }

    private static string? ReadTrust(IReadOnlyList<string>? pems, List<byte[]> trust)
    {
        if (pems?.Count > GuestRules.MaxTrusted)
        {
            return $"trust must hold at most {GuestRules.MaxTrusted} certificates";
        }

        foreach (var pem in pems ?? [])
        {
            try
            {
                if (pem is null || pem.Length > GuestRules.MaxTrustedBytes)
                {
                    return "trust: a certificate must not be null or larger than 64 KiB";
                }

                using var certificate = X509Certificate2.CreateFromPem(pem);
                trust.Add(Encoding.ASCII.GetBytes(certificate.ExportCertificatePem() + "\n"));
            }
            catch (CryptographicException)
            {
                return "trust: an entry is not a certificate in PEM";
            }
        }

        return null;
    }

    private static string HostnameOf(string name)
    {
        var cleaned = NotHostname().Replace(name.ToLower(CultureInfo.InvariantCulture), "-").Trim('-');
        cleaned = cleaned.Length > 63 ? cleaned[..63].Trim('-') : cleaned;
        return cleaned.Length == 0 ? "desktop" : cleaned;
    }

    [GeneratedRegex("^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\\z")]
    private static partial Regex HostnamePattern();

    [GeneratedRegex("[^a-z0-9-]+")]
    private static partial Regex NotHostname();

    [GeneratedRegex("^[a-z]{2,8}(\\([a-z0-9_-]{1,32}\\))?\\z")]
    private static partial Regex LayoutPattern();

    [GeneratedRegex("^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}\\z")]
    private static partial Regex ZonePattern();

    [GeneratedRegex("^[0-7]{3,4}\\z")]
    private static partial Regex ModePattern();

    [GeneratedRegex("^(user|root|[0-9]{1,5}:[0-9]{1,5})\\z")]
    private static partial Regex OwnerPattern();
}
