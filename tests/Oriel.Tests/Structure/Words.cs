using System.Reflection;

namespace Oriel.Tests.Structure;

/// <summary>A set of words as the protocol has it: the constants of a class.</summary>
internal static class Words
{
    public static string[] Of(Type type) =>
        [
            .. type.GetFields(BindingFlags.Public | BindingFlags.Static)
                .Where(field => field.IsLiteral)
                .Select(field => (string)field.GetRawConstantValue()!),
        ];
}
