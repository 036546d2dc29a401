using Oriel.Desktops.Lifecycle;
using Oriel.Protocol;

namespace Oriel.Desktops.Attestation;

/// <summary>The variables that every program of a desktop must see: what was asked for, and the proxy that the image carries.</summary>
public static class ExpectedEnvironment
{
    public const string NoProxy = "localhost,127.0.0.1,192.168.100.0/24";

    private static readonly string ProxyUrl = $"http://{GuestNetwork.GatewayAddress}:{GuestNetwork.ProxyPort}";

    /// <summary>Set by the image in both letter cases; a create request must not set them.</summary>
    public static IReadOnlyDictionary<string, string> Proxy { get; } =
        new Dictionary<string, string>
        {
            ["HTTP_PROXY"] = ProxyUrl,
            ["HTTPS_PROXY"] = ProxyUrl,
            ["NO_PROXY"] = NoProxy,
            ["http_proxy"] = ProxyUrl,
            ["https_proxy"] = ProxyUrl,
            ["no_proxy"] = NoProxy,
        };

    internal static IReadOnlyDictionary<string, string> Of(DesktopSpec spec)
    {
        var all = new Dictionary<string, string>(Proxy);
        foreach (var (name, value) in spec.Environment)
        {
            all[name] = value;
        }

        return all;
    }
}
