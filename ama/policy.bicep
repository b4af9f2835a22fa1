// All machines of a subscription: the built-in initiative installs the Azure Monitor Agent on every Linux virtual machine and
// scale set, with a managed identity. It associates each with the rule that machines.bicep created, and machines in Azure Arc,
// too. A second policy installs the agent on those. Neither installs procline.
targetScope = 'subscription'

@description('Resource id of the rule. machines.bicep prints it as the output ruleId.')
param ruleId string

@description('Resource ids of your own images: machines made from them get the agent and the rule, too.')
param imageIds array = []

@description('If false, every Linux machine gets the agent and the rule, not just those with a supported image.')
param onlySupportedImages bool = true

@description('Whether to install the agent on machines in Azure Arc.')
param withArc bool = false

@description('Region of the assignments\' identities.')
param location string = deployment().location

@description('Region of the resource group Built-In-Identity-RG. The initiative creates it if it does not exist.')
param identityLocation string = location

// "Deploy Linux Azure Monitor Agent with user-assigned managed identity-based auth and associate with Data Collection Rule"
var initiative = 'babf8e94-780b-4b4d-abaa-4830136a8725'

// The roles that its policies need: Contributor, and User Access Administrator to assign identities.
var roles = ['b24988ac-6180-42a0-ab88-20f7382dd24c', '18d7d88d-d35e-4fb5-a5c3-7773c20a72d9']

// "Configure Linux Arc-enabled machines to run Azure Monitor Agent"
var arcPolicy = '845857af-0333-4c5d-bbbc-6076697da122'

// The role that it needs: Azure Connected Machine Resource Administrator.
var arcRole = 'cd570a14-e51a-42ad-bac8-bafd67325302'

resource assignment 'Microsoft.Authorization/policyAssignments@2025-03-01' = {
  name: 'procline'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: 'Azure Monitor Agent and process records on Linux machines'
    policyDefinitionId: tenantResourceId('Microsoft.Authorization/policySetDefinitions', initiative)
    parameters: {
      dcrResourceId: {
        value: ruleId
      }
      scopeToSupportedImages: {
        value: onlySupportedImages
      }
      listOfLinuxImageIdToInclude: {
        value: imageIds
      }
      bringYourOwnUserAssignedManagedIdentity: {
        value: false
      }
      builtInIdentityResourceGroupLocation: {
        value: identityLocation
      }
    }
  }
}

resource rights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in roles: {
    name: guid(subscription().id, assignment.name, role)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
      principalId: assignment.identity.principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource arcAssignment 'Microsoft.Authorization/policyAssignments@2025-03-01' = if (withArc) {
  name: 'procline-arc'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: 'Azure Monitor Agent on Linux machines in Azure Arc'
    policyDefinitionId: tenantResourceId('Microsoft.Authorization/policyDefinitions', arcPolicy)
  }
}

resource arcRights 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (withArc) {
  name: guid(subscription().id, 'procline-arc', arcRole)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', arcRole)
    principalId: arcAssignment!.identity.principalId
    principalType: 'ServicePrincipal'
  }
}
