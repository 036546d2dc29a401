using Oriel.Desktops.Lifecycle;
using Oriel.Protocol;

namespace Oriel.Desktops.Attestation;

/// <summary>The variables that every program of a desktop must see: what was asked for, and the proxy that the image carries.</summary>
public static class ExpectedEnvironment
{
    private static readonly string ProxyUrl = $"http://{GuestNetwork.GatewayAddress}:{GuestNetwork.ProxyPort}";

    /// <summary>Set in both letter cases, by the image and for the host name by the agent; a create request must not set them.</summary>
    public static IReadOnlySet<string> ProxyNames { get; } =
        new HashSet<string> { "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy" };

    internal static Dictionary<string, string> Proxy(string hostname) =>
        ProxyNames.ToDictionary(name => name, name => name is "NO_PROXY" or "no_proxy" ? GuestNetwork.NoProxy(hostname) : ProxyUrl);

    internal static IReadOnlyDictionary<string, string> Of(DesktopSpec spec)
    {
        var all = Proxy(spec.Hostname);
        foreach (var (name, value) in spec.Environment)
        {
            all[name] = value;
        }

        return all;
    }
}
