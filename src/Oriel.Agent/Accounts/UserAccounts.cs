using System.Globalization;
using Oriel.Linux.Processes;

namespace Oriel.Agent.Accounts;

/// <summary>One line of /etc/passwd and the groups that name it.</summary>
internal sealed record UserAccount(string Name, uint Uid, uint Gid, string Home, string Shell, IReadOnlyList<uint> Groups)
{
    public Credentials Credentials => new(Uid, Gid, Groups);
}

/// <summary>The guest's accounts, read from its files each time (passwd(5), group(5)); a desktop has no directory service.</summary>
internal static class UserAccounts
{
    public const string DesktopUser = "user";

    private const string PasswdPath = "/etc/passwd";
    private const string GroupPath = "/etc/group";

    /// <exception cref="IOException">The image has no such user.</exception>
    public static UserAccount Desktop() => Find(DesktopUser) ?? throw new IOException($"The image has no user named {DesktopUser}.");

    /// <param name="nameOrId">A name or a numeric user id.</param>
    public static UserAccount? Find(string nameOrId) =>
        Find(nameOrId, File.ReadLines(PasswdPath), File.Exists(GroupPath) ? File.ReadLines(GroupPath) : []);

    internal static UserAccount? Find(string nameOrId, IEnumerable<string> passwd, IEnumerable<string> group)
    {
        foreach (var line in passwd)
        {
            // name:password:uid:gid:comment:home:shell
            var fields = line.Split(':');
            if (
                fields.Length == 7
                && (fields[0] == nameOrId || fields[2] == nameOrId)
                && TryId(fields[2], out var uid)
                && TryId(fields[3], out var gid)
            )
            {
                return new UserAccount(
                    fields[0],
                    uid,
                    gid,
                    fields[5],
                    fields[6].Length > 0 ? fields[6] : "/bin/sh",
                    [gid, .. Groups(fields[0], gid, group)]
                );
            }
        }

        return null;
    }

    private static IEnumerable<uint> Groups(string user, uint primary, IEnumerable<string> group)
    {
        foreach (var line in group)
        {
            // name:password:gid:members
            var fields = line.Split(':');
            if (fields.Length == 4 && fields[3].Split(',').Contains(user) && TryId(fields[2], out var gid) && gid != primary)
            {
                yield return gid;
            }
        }
    }

    private static bool TryId(string text, out uint id) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id);
}
