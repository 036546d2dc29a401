using System.Globalization;

namespace Oriel.Agent.Accounts;

/// <summary>Whose a file is to be.</summary>
internal readonly record struct FileOwner(uint Uid, uint Gid)
{
    /// <summary>The greatest id but one: the last means "unchanged" to chown(2).</summary>
    private const uint MaxId = uint.MaxValue - 1;

    public static FileOwner Root => new(0, 0);

    public static FileOwner Of(UserAccount account) => new(account.Uid, account.Gid);

    /// <param name="text"><c>user</c> (also when empty), <c>root</c>, or <c>uid:gid</c> in decimal.</param>
    public static FileOwner? TryParse(string text, UserAccount user)
    {
        switch (text)
        {
            case "" or UserAccounts.DesktopUser:
                return Of(user);
            case "root":
                return Root;
        }

        var parts = text.Split(':');
        return parts.Length == 2 && TryId(parts[0], out var uid) && TryId(parts[1], out var gid) ? new FileOwner(uid, gid) : null;
    }

    private static bool TryId(string text, out uint id)
    {
        // Digits only: the framework's parser passes over NULs behind a number.
        id = 0;
        return text.All(char.IsAsciiDigit) && uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id) && id < MaxId;
    }
}
