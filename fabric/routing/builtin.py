"""The routing policies that railscope brings."""

from fabric.routing.adaptive import adaptive_all_to_all, adaptive_flows, adaptive_paths
from fabric.routing.by_destination import dmodk_all_to_all_loads, dmodk_flow_loads
from fabric.routing.given_paths import given_all_to_all_loads, given_flow_loads, given_flow_paths
from fabric.routing.hashed import ecmp_loads, hashed_loads
from fabric.routing.lft_walk import lft_all_to_all_loads, lft_flow_loads, lft_flow_paths
from fabric.routing.link_weights import weighted_all_to_all, weighted_flows, weighted_paths
from fabric.routing.policies import Adaptive, DModK, Ecmp, GivenPaths, Lft, LinkWeights
from fabric.routing.registry import register_policy
from fabric.routing.single_path import dmodk_flow_paths, ecmp_flow_paths

register_policy(Adaptive, paths=adaptive_paths, flows=adaptive_flows, all_to_all=adaptive_all_to_all)
register_policy(Ecmp, paths=ecmp_flow_paths, flows=ecmp_loads, all_to_all=ecmp_loads, seeds=hashed_loads)
register_policy(DModK, paths=dmodk_flow_paths, flows=dmodk_flow_loads, all_to_all=dmodk_all_to_all_loads)
register_policy(Lft, paths=lft_flow_paths, flows=lft_flow_loads, all_to_all=lft_all_to_all_loads)
register_policy(LinkWeights, paths=weighted_paths, flows=weighted_flows, all_to_all=weighted_all_to_all)
register_policy(GivenPaths, paths=given_flow_paths, flows=given_flow_loads, all_to_all=given_all_to_all_loads)
