using System.Text.Json;
using Oriel.Protocol;

namespace Oriel.Keeper.Network;

/// <summary>
/// The nftables rules of the keeper's network namespace: the guest's link reaches the three listeners and nothing else, nothing is
/// forwarded, and what is dropped is counted by kind. They hold whatever the guest's own kernel or root does.
/// </summary>
internal static class Firewall
{
    /// <summary>The name of the guest's link on the keeper's side, the same for every driver.</summary>
    public const string Link = "oriel0";

    private const string LastRule = "dropped-sent";

    /// <summary>
    /// The ruleset. The ingress chain sees frames before anything else: only IPv4 and ARP get further. The guest's packets are judged after
    /// the redirection and before routing, as routing would drop those for elsewhere without a count.
    /// </summary>
    public static string Ruleset { get; } =
        $$"""
            table netdev oriel {
              counter dropped-ipv6 { }
              counter dropped-other-frames { }
              chain ingress {
                type filter hook ingress device "{{Link}}" priority 0; policy accept;
                meta protocol ip6 counter name dropped-ipv6 drop
                meta protocol != { ip, arp } counter name dropped-other-frames drop
              }
            }
            table ip oriel {
              counter dropped-spoofed { }
              counter dropped-udp { }
              counter dropped-icmp { }
              counter dropped-tcp { }
              counter dropped-other { }
              counter dropped-forwarded { }
              counter dropped-sent { }
              chain raw {
                type filter hook prerouting priority raw; policy accept;
                iifname "{{Link}}" ip saddr != {{GuestNetwork.GuestAddress}} counter name dropped-spoofed drop
                iifname "{{Link}}" ip daddr 127.0.0.0/8 counter name dropped-spoofed drop
              }
              chain to-listeners {
                type nat hook prerouting priority dstnat; policy accept;
                iifname != "{{Link}}" return
                meta l4proto { tcp, udp } th dport {{GuestNetwork.DnsPort}} redirect to :{{GuestNetwork.DnsPort}}
                ip daddr {{GuestNetwork.GatewayAddress}} tcp dport {{GuestNetwork.ProxyPort}} return
                meta l4proto tcp redirect to :{{GuestNetwork.TransparentPort}}
              }
              chain guest {
                type filter hook prerouting priority filter; policy accept;
                iifname != "{{Link}}" accept
                ip daddr != {{GuestNetwork.GatewayAddress}} jump refused
                tcp dport {{GuestNetwork.ProxyPort}} accept
                tcp dport {{GuestNetwork.TransparentPort}} ct status dnat accept
                meta l4proto { tcp, udp } th dport {{GuestNetwork.DnsPort}} accept
                tcp sport {{GuestNetwork.AgentPort}} ct state established ct direction reply accept
                jump refused
              }
              chain input {
                type filter hook input priority filter; policy drop;
                iifname { "lo", "{{Link}}" } accept
              }
              chain refused {
                meta l4proto udp counter name dropped-udp drop
                meta l4proto icmp counter name dropped-icmp drop
                meta l4proto tcp counter name dropped-tcp drop
                counter name dropped-other drop
              }
              chain forward {
                type filter hook forward priority filter; policy drop;
                counter name dropped-forwarded drop
              }
              chain output {
                type filter hook output priority filter; policy drop;
                oifname "lo" accept
                oifname != "{{Link}}" drop
                tcp sport { {{GuestNetwork.ProxyPort}}, {{GuestNetwork.TransparentPort}} } ct direction reply accept
                meta l4proto { tcp, udp } th sport {{GuestNetwork.DnsPort}} ct direction reply accept
                ip daddr {{GuestNetwork.GuestAddress}} tcp dport {{GuestNetwork.AgentPort}} accept
                counter name {{LastRule}} drop
              }
            }
            """;

    /// <exception cref="InvalidOperationException">nft failed, or said nothing of the rules that it was to add: without them there is no
    /// guest.</exception>
    public static async Task ApplyAsync(CancellationToken cancellationToken)
    {
        var added = await new HostProgram("nft", "--echo", "-f", "-") { Input = Ruleset }.OutputAsync(cancellationToken);
        if (!added.Contains(LastRule, StringComparison.Ordinal))
        {
            throw new InvalidOperationException("nft reported success but added no rules");
        }
    }

    /// <summary>Packets dropped so far, by kind.</summary>
    public static async Task<IReadOnlyDictionary<string, long>> CountersAsync(CancellationToken cancellationToken) =>
        ParseCounters(await new HostProgram("nft", "-j", "list", "counters").OutputAsync(cancellationToken));

    internal static IReadOnlyDictionary<string, long> ParseCounters(string json)
    {
        var counters = new SortedDictionary<string, long>(StringComparer.Ordinal);
        using var document = JsonDocument.Parse(json);
        foreach (var entry in document.RootElement.GetProperty("nftables").EnumerateArray())
        {
            if (entry.TryGetProperty("counter", out var counter))
            {
                counters[counter.GetProperty("name").GetString()!] = counter.GetProperty("packets").GetInt64();
            }
        }

        return counters;
    }
}
