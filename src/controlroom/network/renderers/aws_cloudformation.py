"""Renders a host's AWS security groups as a CloudFormation template in YAML."""

from collections.abc import Iterator
from json.encoder import encode_basestring_ascii as quoted

from controlroom.network.addresses import Family
from controlroom.network.projection import Direction, Projection
from controlroom.network.renderers.aws_groups import SCOPES, Group, Permission, security_groups, tags
from controlroom.network.renderers.cloud_documents import refuse_more_than, summary
from controlroom.network.renderers.cloud_steps import cloud_script
from controlroom.network.renderers.interface import RenderedFile, Rendering

# "CloudFormation quotas": a template in S3; one given directly may have 51,200 bytes, which the script works round.
_LARGEST_TEMPLATE = 1_000_000
_PROPERTIES = {
    Direction.INBOUND: "SecurityGroupIngress",
    Direction.OUTBOUND: "SecurityGroupEgress",
}


class AwsCloudFormationRenderer:
    """One stack a host; its groups carry our tag, and no other group is touched."""

    name = "aws-cloudformation"
    title = "AWS security groups as a CloudFormation template"
    scopes = SCOPES
    parser = "aws"

    def render(self, projection: Projection) -> Rendering:
        """Return the template and the script that checks, applies, confirms and rolls back."""
        groups = security_groups(projection, self.name)
        text = "\n".join(_lines(projection, groups)) + "\n"
        mend = "declare wider prefixes in the site"
        refuse_more_than(_LARGEST_TEMPLATE, len(text.encode()), "bytes of template", mend)
        file = f"{projection.name}-aws.yaml"
        return Rendering(
            self.name,
            (
                RenderedFile(file, text),
                RenderedFile(
                    f"{projection.name}-aws-cloudformation.sh",
                    _script(groups[0].name.replace(".", "-").replace("_", "-"), file),
                    is_rules=False,
                    executable=True,
                ),
            ),
        )


RENDERER = AwsCloudFormationRenderer()


def _lines(projection: Projection, groups: tuple[Group, ...]) -> Iterator[str]:
    yield f"# {summary(projection)}"
    yield 'AWSTemplateFormatVersion: "2010-09-09"'
    yield f"Description: {quoted(groups[0].description)}"
    yield "Parameters:"
    yield "  Vpc:"
    yield "    Type: AWS::EC2::VPC::Id"
    yield "    Description: The VPC of the host"
    yield "Resources:"
    for number, group in enumerate(groups, start=1):
        yield f"  Group{number}:"
        yield "    Type: AWS::EC2::SecurityGroup"
        yield "    Properties:"
        yield f"      GroupName: {quoted(group.name)}"
        yield f"      GroupDescription: {quoted(group.description)}"
        yield "      VpcId: {Ref: Vpc}"
        yield "      Tags:"
        for key, value in tags(projection).items():
            yield f"        - {{Key: {quoted(key)}, Value: {quoted(value)}}}"
        for direction, permissions in group.permissions.items():
            yield from _rules(direction, permissions)
    yield "Outputs:"
    yield "  Groups:"
    yield "    Description: The groups that the host's interface carries, all of them"
    references = ", ".join(f"!GetAtt Group{number}.GroupId" for number in range(1, len(groups) + 1))
    yield f'    Value: !Join [",", [{references}]]'


def _rules(direction: Direction, permissions: list[Permission]) -> Iterator[str]:
    if not permissions and direction is Direction.INBOUND:
        return
    yield f"      {_PROPERTIES[direction]}:"
    if not permissions:
        # A group without any outbound rule would be given one that allows everything; this one allows nothing.
        yield "        # Nothing may go out: without a rule the platform would add one that lets everything out."
        yield '        - {IpProtocol: "-1", CidrIp: 127.0.0.1/32, Description: "controlroom: nothing may go out"}'
    told = ""
    for one in permissions:
        if one.description != told:
            yield f"        # {one.description}"
            told = one.description
        key = "CidrIp" if one.family is Family.IPV4 else "CidrIpv6"
        ports = "" if one.low < 0 else f", FromPort: {one.low}, ToPort: {one.high}"
        yield (
            f'        - {{IpProtocol: "{one.protocol}"{ports}, {key}: "{one.prefix}", '
            f"Description: {quoted(one.description)}}}"
        )


def _script(stack: str, file: str) -> str:
    deploy = f"aws cloudformation deploy --stack-name {stack} --no-fail-on-empty-changeset"
    parameters = '--parameter-overrides "Vpc=$VPC" ${BUCKET:+--s3-bucket "$BUCKET"}'
    return cloud_script(
        stack,
        needs="aws, with credentials and a region; BUCKET, an S3 bucket, for a template over 51,200 bytes",
        required=(("VPC", "the VPC of the host, such as vpc-0abc"),),
        check=(
            f'[ -n "${{BUCKET:-}}" ] || aws cloudformation validate-template --output text '
            f'--template-body "file://$folder/{file}"',
            f'{deploy} --no-execute-changeset --template-file "$folder/{file}" {parameters}',
        ),
        present=(
            "aws cloudformation list-stacks --output text --query "
            f"\"StackSummaries[?StackName=='{stack}' && StackStatus!='DELETE_COMPLETE'].StackId\""
        ),
        save=f"aws cloudformation get-template --stack-name {stack} --query TemplateBody --output text",
        apply=(f'{deploy} --template-file "$folder/{file}" {parameters}',),
        restore=(f'{deploy} --template-file "$saved" {parameters}',),
        remove=(f"aws cloudformation delete-stack --stack-name {stack}",),
    )
