using Oriel.Protocol;

namespace Oriel.Keeper.Drivers.Vm;

/// <summary>What every virtual desktop's kernel is told, whatever the VMM.</summary>
internal static class BootArguments
{
    /// <summary>
    /// A kernel that panics resets the machine immediately, which ends the VMM. The last words are for the initramfs: the kernel hands what
    /// it does not know on as variables. The disks are found in the order in which the driver gives them: root, scratch, config.
    /// </summary>
    public const string Common =
        "quiet panic=-1 reboot=t ipv6.disable=1 random.trust_cpu=on cryptomgr.notests 8250.nr_uarts=1 "
        + "oriel_root=vda oriel_scratch=vdb oriel_config=vdc "
        + $"oriel_address={GuestNetwork.GuestAddress}/24 oriel_gateway={GuestNetwork.GatewayAddress}";
}
