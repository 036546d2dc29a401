namespace Oriel.Protocol;

/// <summary>The addresses of every desktop's own network, the same in each because each is in a namespace of its own.</summary>
public static class GuestNetwork
{
    public const string GuestAddress = "192.168.100.2";
    public const string GatewayAddress = "192.168.100.1";
    public const int PrefixLength = 24;

    /// <summary>The explicit HTTP proxy, on the gateway's address.</summary>
    public const int ProxyPort = 10001;

    /// <summary>Where all other TCP of the guest is redirected to, in the keeper's namespace.</summary>
    public const int TransparentPort = 10002;

    /// <summary>UDP and TCP, on the gateway's address.</summary>
    public const int DnsPort = 53;

    /// <summary>The agent's gRPC listener, on the guest's address; it answers the gateway only.</summary>
    public const int AgentPort = 9000;

    /// <summary>A name that nothing but Oriel's own egress answers; proves the path without the internet.</summary>
    public const string CanaryHost = "canary.oriel.internal";

    /// <summary>
    /// What a guest's programs must not ask the proxy for: the guest itself by every name it has, and its own network. A program that
    /// knows no CIDR (Python's urllib) finds the usual addresses one by one.
    /// </summary>
    public static string NoProxy(string hostname) =>
        $"localhost,127.0.0.1,::1,127.0.0.0/8,{GatewayAddress},{GuestAddress},192.168.100.0/24,{hostname}";
}
